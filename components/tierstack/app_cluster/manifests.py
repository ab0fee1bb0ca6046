"""Everything of an AppCluster on Kubernetes: its pods, and what stands around them."""

from tierstack.app_cluster import processes, traffic
from tierstack.app_cluster.pods import Pods
from tierstack.gateway.args import TRAEFIK_CLASS
from tierstack.gateway.kubernetes import API as GATEWAY_API
from tierstack.platform.kubernetes import Manifest

_DNS_PORTS = (53, 5353)
"""Ports on which the pods of cluster DNS listen: 53, and 5353 where they have no right to it (OpenShift); a policy
judges the pod's port, not the Service's."""
_NODE_LOCAL_DNS = "169.254.20.10/32"
"""Address of NodeLocal DNSCache, which is no pod (Kubernetes: "Using NodeLocal DNSCache in Kubernetes Clusters")."""
_PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"]


class App(Pods):
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
        args = self.args
        if not args.uploads_path:
            return None
        spec: Manifest = {
            "accessModes": [args.uploads_access_mode],
            "resources": {"requests": {"storage": f"{args.uploads_gb}Gi"}},
        }
        if storage_class := args.uploads_storage_class or args.platform.storage_class:
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
        if self.args.worker_command and counts.workers and counts.max_workers > counts.workers:
            found.append(self._autoscaler("worker", "-worker", counts.workers, counts.max_workers))
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

    def _autoscaler(self, role: str, suffix: str, low: int, high: int) -> Manifest:
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": self.metadata(role, suffix),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{self.name}{suffix}"},
                "minReplicas": low,
                "maxReplicas": high,
                "metrics": [{"type": "Resource", "resource": cpu}],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
            },
        }

    def network_policy(self) -> Manifest:
        """In: the proxy only. Out: this namespace (what listens there judges by labels), DNS, and the ports asked for
        outside private networks."""
        args = self.args
        proxies = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": args.gateway.proxy_namespace}}}
        outside = {"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}
        outside6 = {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}}
        egress: list[Manifest] = [
            {"to": [{"podSelector": {}}]},
            {
                "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": _NODE_LOCAL_DNS}}],
                "ports": [{"protocol": kind, "port": port} for kind in ("UDP", "TCP") for port in _DNS_PORTS],
            },
        ]
        ports = [443, 587] if args.outbound_ports is None else args.outbound_ports
        if ports:
            egress.append({"to": [outside, outside6], "ports": [{"protocol": "TCP", "port": port} for port in ports]})
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": self.metadata("web"),
            "spec": {
                "podSelector": {"matchLabels": {"app.kubernetes.io/name": self.name}},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [proxies], "ports": [{"protocol": "TCP", "port": args.port}]}],
                "egress": egress,
            },
        }

    def middlewares(self) -> list[Manifest]:
        """Traefik's own kinds, for what the Gateway API lacks; none for another GatewayClass."""
        if self.args.gateway.gateway_class != TRAEFIK_CLASS:
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
                "parentRefs": [{"name": self.args.gateway.name, "sectionName": "https"}],
                "hostnames": self.args.hostnames,
                "rules": [rule],
            },
        }
