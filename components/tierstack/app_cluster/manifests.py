"""Everything of an AppCluster on Kubernetes: its pods, and what stands around them."""

from tierstack.app_cluster import processes, traffic
from tierstack.app_cluster.role_manifests import Roles
from tierstack.platform.kubernetes import network as policies
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.routes import GATEWAY_API
from tierstack.platform.proxy import TRAEFIK_CLASS


class App(Roles):
    """One application in one namespace."""

    def service_account(self) -> Manifest:
        return {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": self.metadata("web"),
            "automountServiceAccountToken": False,
        }

    def config_maps(self) -> list[Manifest]:
        """Named by content: pods of the old release keep the one that they were started with."""
        if not self.configuration:
            return []
        return [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": self.configuration, "labels": self.labels("web")},
                "immutable": True,
                "data": processes.files(self.args),
            }
        ]

    def uploads_claim(self) -> Manifest | None:
        args, uploads = self.args, self.args.uploads
        if not uploads:
            return None
        spec: Manifest = {
            "accessModes": [uploads.access_mode],
            "resources": {"requests": {"storage": f"{uploads.storage_gb}Gi"}},
        }
        if storage_class := uploads.storage_class or args.platform.storage_class:
            spec["storageClassName"] = storage_class
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                **self.metadata("web", "-uploads"),
                # A class that binds late waits for a pod, which waits for this claim.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            "spec": spec,
        }

    def service(self) -> Manifest:
        port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            # Its endpoints come with the pods, which the Deployment waits for.
            "metadata": {**self.metadata("web"), "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {"selector": self.labels("web"), "ports": [port]},
        }

    def scaling(self) -> list[Manifest]:
        """Autoscalers, and the budget that keeps pods up while nodes are drained."""
        counts = self.args.counts
        found: list[Manifest] = []
        if counts.max_replicas > counts.replicas:
            found.append(self._autoscaler("web", "", counts.replicas, counts.max_replicas))
        found += self.role_scaling()
        if counts.replicas > 1:
            found.append(
                {
                    "apiVersion": "policy/v1",
                    "kind": "PodDisruptionBudget",
                    "metadata": self.metadata("web"),
                    "spec": {
                        "maxUnavailable": 1,
                        "selector": {"matchLabels": self.labels("web")},
                        "unhealthyPodEvictionPolicy": "AlwaysAllow",
                    },
                }
            )
        return found

    def network_policy(self) -> Manifest:
        """In: the proxy only. Out: this namespace (what listens there judges by labels), DNS, the ports asked for at
        public addresses, and the private networks asked for."""
        args = self.args
        proxies = [policies.namespace(self.gateway.proxy_namespace)]
        egress = [policies.egress([{"podSelector": {}}]), policies.DNS]
        if ports := [443, 587] if args.outbound.ports is None else args.outbound.ports:
            egress.append(policies.egress(policies.outside(), *ports))
        egress += [
            policies.egress([{"ipBlock": {"cidr": one.cidr}}], *one.ports) for one in args.outbound.networks or []
        ]
        return policies.policy(
            self.name,
            {"app.kubernetes.io/name": self.name},
            ingress=[policies.ingress(proxies, args.web.port)],
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
        return [
            {
                "apiVersion": "traefik.io/v1alpha1",
                "kind": "Middleware",
                "metadata": self.metadata("web", f"-{suffix}"),
                "spec": spec,
            }
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
                "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": one["metadata"]["name"]},
            }
            for one in self.middlewares()
        ]
        rule = {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "filters": filters,
            "backendRefs": [{"name": self.name, "port": 80, "weight": 100}],
        }
        return {
            "apiVersion": GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": self.metadata("web"),
            "spec": {
                "parentRefs": [{"name": self.gateway.name, "sectionName": self.gateway.section_name}],
                "hostnames": self.args.hostnames,
                "rules": [rule],
            },
        }
