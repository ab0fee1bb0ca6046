"""Everything of an AppCluster on Kubernetes: its pods, and what stands around them."""

from tierstack.app_cluster import traffic
from tierstack.app_cluster.role_manifests import Roles
from tierstack.platform.kubernetes import network, routes
from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.claim import claim, claim_spec
from tierstack.platform.kubernetes.config import name_of
from tierstack.platform.kubernetes.manifest import SKIP_AWAIT, Manifest, manifest
from tierstack.platform.kubernetes.services import service, service_port
from tierstack.platform.proxy import TRAEFIK_CLASS

_HTTP = 80
"""Port of the Service."""


class App(Roles):
    """One application in one namespace."""

    def service_account(self) -> Manifest:
        labels = self.labels("web")
        return manifest("v1", "ServiceAccount", self.name, labels=labels, automountServiceAccountToken=False)

    def config_maps(self) -> list[Manifest]:
        """Those of the release that starts; pods of the old one keep theirs."""
        return [self.configuration] if self.configuration else []

    def uploads_claim(self) -> Manifest | None:
        uploads = self.args.uploads
        if not uploads:
            return None
        storage_class = uploads.storage_class or self.args.platform.storage_class
        spec = claim_spec(uploads.storage_gb, storage_class, uploads.access_mode)
        return claim(f"{self.name}-uploads", spec, self.labels("web"))

    def service(self) -> Manifest:
        labels = self.labels("web")
        # Its endpoints come with the pods, which the Deployment waits for.
        return service(self.name, labels, [service_port("http", _HTTP, "http")], labels=labels, annotations=SKIP_AWAIT)

    def scaling(self) -> list[Manifest]:
        """Autoscalers, and the budget that keeps pods up while nodes are drained."""
        counts = self.args.counts
        found: list[Manifest] = []
        if counts.max_replicas > counts.replicas:
            found.append(self._autoscaler("web", "", counts.replicas, counts.max_replicas))
        found += self.role_scaling()
        if counts.replicas > 1:
            # A release that never gets ready holds up no drain.
            labels = self.labels("web")
            found.append(disruption_budget(self.name, labels, unready_too=True, labels=labels))
        return found

    def network_policy(self) -> Manifest:
        """In: the proxy only. Out: this namespace (what listens there judges by labels), DNS, the ports asked for at
        public addresses, and the private networks asked for."""
        args = self.args
        proxies = [network.namespace(self.gateway.proxy_namespace)]
        egress = [network.egress([network.NEIGHBOURS]), network.DNS]
        if ports := [443, 587] if args.outbound.ports is None else args.outbound.ports:
            egress.append(network.egress(network.outside(), *ports))
        egress += [network.egress([network.addresses(one.cidr)], *one.ports) for one in args.outbound.networks or []]
        return network.policy(
            self.name,
            {"app.kubernetes.io/name": self.name},
            ingress=[network.ingress(proxies, args.web.port)],
            egress=egress,
            labels=self.labels("web"),
        )

    def middlewares(self) -> list[Manifest]:
        """Traefik's own kinds, for what the Gateway API lacks; none for another GatewayClass."""
        if self.gateway.gateway_class != TRAEFIK_CLASS:
            return []
        limit = traffic.rate_limit(self.args)
        specs: dict[str, Manifest] = {"rate-limit": {"rateLimit": limit}} if limit else {}
        specs["retry"] = {"retry": {"attempts": 4, "initialInterval": "50ms"}}
        labels = self.labels("web")
        return [
            manifest("traefik.io/v1alpha1", "Middleware", f"{self.name}-{suffix}", spec, labels=labels)
            for suffix, spec in specs.items()
        ]

    def route(self) -> Manifest:
        """The one HTTPRoute. Its rules are one list, so it has one writer."""
        headers = [{"name": key, "value": value} for key, value in traffic.security_headers(self.args).items()]
        modifier = {"set": headers, "remove": list(traffic.REMOVED_HEADERS)}
        filters: list[Manifest] = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}]
        filters += [
            {
                "type": "ExtensionRef",
                "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": name_of(one)},
            }
            for one in self.middlewares()
        ]
        backends = [routes.backend(self.name, _HTTP, weight=100)]
        rule = {"matches": routes.path("/"), "filters": filters, "backendRefs": backends}
        gateway, hostnames, labels = self.gateway, self.args.hostnames, self.labels("web")
        return routes.http_route(
            self.name, gateway.name, gateway.section_name, [rule], hostnames=hostnames, labels=labels
        )
