"""Everything of an AppCluster on Kubernetes: its releases, and what stands around them."""

from collections.abc import Sequence

import pulumi

from tierstack.app_cluster import identity, traffic
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.pods import labels
from tierstack.app_cluster.release import Release, checked
from tierstack.app_cluster.role_manifests import Roles
from tierstack.links import SecretRef
from tierstack.platform.kubernetes import network, routes
from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.claim import claim, claim_spec
from tierstack.platform.kubernetes.config import name_of
from tierstack.platform.kubernetes.manifest import SKIP_AWAIT, Manifest, manifest
from tierstack.platform.kubernetes.services import service, service_port
from tierstack.platform.proxy import TRAEFIK_CLASS

_HTTP = 80
"""Port of the Service of each release."""


class Workloads(Roles):
    """One release in one namespace, with what stands around its web pods."""

    def service(self) -> Manifest:
        """What the route sends the release's share to."""
        own = self.labels(self.web_role)
        # Its endpoints come with the pods, which the Deployment waits for.
        return service(self.web_name, own, [service_port("http", _HTTP, "http")], labels=own, annotations=SKIP_AWAIT)

    def web_scaling(self) -> list[Manifest]:
        """The autoscaler of the web pods, and the budget that keeps them up while nodes are drained."""
        counts, own = self.release.counts, self.labels(self.web_role)
        found: list[Manifest] = []
        if counts.max_replicas > counts.replicas:
            found.append(self.autoscaler(self.web_name, self.web_role, counts.replicas, counts.max_replicas))
        if counts.replicas > 1:
            # A release that never gets ready holds up no drain.
            found.append(disruption_budget(self.web_name, own, unready_too=True, labels=own))
        return found


class App:
    """One application in one namespace."""

    def __init__(
        self,
        name: str,
        app: Application,
        releases: Sequence[Release],
        secrets: dict[str, SecretRef],
        revision: pulumi.Input[str],
    ) -> None:
        """The first release has the names of the application alone: its Deployment rolls to what comes in its place,
        pod by pod. Each further one has objects of its own beside it, so its place in the list changes nothing."""
        assert app.gateway.kubernetes  # the rules ask for it
        self.gateway = app.gateway.kubernetes
        self.name, self.app = name, app
        first, *others = checked(releases)
        # A name that is known only during the update can be in labels, but not in names of objects.
        first_name, *names = identity.known_names(app, releases) if others else [identity.release_name(app, first)]
        self.releases = [Workloads(name, app, first, first_name, secrets, revision)]
        for release, beside in zip(others, map(str, names), strict=True):
            self.releases.append(Workloads(name, app, release, beside, secrets, revision, beside=beside))
        (self.current,) = [one for one in self.releases if one.release.current]

    def service_account(self) -> Manifest:
        own = labels(self.name, "web")
        return manifest("v1", "ServiceAccount", self.name, labels=own, automountServiceAccountToken=False)

    def config_maps(self) -> list[Manifest]:
        """Those of the releases that start; pods of an old one keep theirs. Releases with the same files share one."""
        found = [one.configuration for one in self.releases if one.configuration]
        return list({name_of(one): one for one in found}.values())

    def uploads_claim(self) -> Manifest | None:
        uploads = self.app.uploads
        if not uploads:
            return None
        storage_class = uploads.storage_class or self.app.platform.storage_class
        spec = claim_spec(uploads.storage_gb, storage_class, uploads.access_mode)
        return claim(f"{self.name}-uploads", spec, labels(self.name, "web"))

    def network_policy(self) -> Manifest:
        """In: the proxy only. Out: this namespace (what listens there judges by labels), DNS, the ports asked for at
        public addresses, and the private networks asked for."""
        outbound = self.app.outbound
        proxies = [network.namespace(self.gateway.proxy_namespace)]
        egress = [network.egress([network.NEIGHBOURS]), network.DNS]
        if ports := [443, 587] if outbound.ports is None else outbound.ports:
            egress.append(network.egress(network.outside(), *ports))
        egress += [network.egress([network.addresses(one.cidr)], *one.ports) for one in outbound.networks or []]
        web_ports = dict.fromkeys(one.release.web.port for one in self.releases)
        return network.policy(
            self.name,
            {"app.kubernetes.io/name": self.name},
            ingress=[network.ingress(proxies, *web_ports)],
            egress=egress,
            labels=labels(self.name, "web"),
        )

    def middlewares(self) -> list[Manifest]:
        """Traefik's own kinds, for what the Gateway API lacks; none for another GatewayClass."""
        if self.gateway.gateway_class != TRAEFIK_CLASS:
            return []
        limit = traffic.rate_limit(self.app)
        specs: dict[str, Manifest] = {"rate-limit": {"rateLimit": limit}} if limit else {}
        specs["retry"] = {"retry": {"attempts": 4, "initialInterval": "50ms"}}
        own = labels(self.name, "web")
        return [
            manifest("traefik.io/v1alpha1", "Middleware", f"{self.name}-{suffix}", spec, labels=own)
            for suffix, spec in specs.items()
        ]

    def routes(self) -> list[Manifest]:
        """The HTTPRoute of the names, after one for each wildcard, all with the share of each release.

        Traefik ranks a route by the longest of its hostnames: in one route with a long name, a wildcard would take the
        names of other applications below its domain. A name below a wildcard is at least as long as that alone. The
        rules of a route are one list, so it has one writer.
        """
        headers = [{"name": key, "value": value} for key, value in traffic.security_headers(self.app).items()]
        modifier = {"set": headers, "remove": list(traffic.REMOVED_HEADERS)}
        filters: list[Manifest] = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}]
        filters += [
            {
                "type": "ExtensionRef",
                "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": name_of(one)},
            }
            for one in self.middlewares()
        ]
        # One of weight 0 gets no request (Gateway API, HTTPBackendRef), and is there for who looks at the route.
        backends = [routes.backend(one.web_name, _HTTP, weight=one.release.weight) for one in self.releases]
        rule = {"matches": routes.path("/"), "filters": filters, "backendRefs": backends}
        gateway, own = self.gateway, labels(self.name, "web")
        names, wildcards = traffic.by_precedence(self.app.hostnames)
        hostnames = {f"{self.name}-wildcard{one[1:]}": [one] for one in wildcards} | {self.name: names}
        return [
            routes.http_route(name, gateway.name, gateway.section_name, [rule], hostnames=those, labels=own)
            for name, those in hostnames.items()
        ]
