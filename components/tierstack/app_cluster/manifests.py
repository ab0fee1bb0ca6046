"""Everything of an AppCluster on Kubernetes: its pods, and what stands around them."""

import pulumi

from tierstack.app_cluster import processes, traffic
from tierstack.app_cluster.pods import Pods
from tierstack.platform import policies
from tierstack.platform.internal_ca import CA_FILE
from tierstack.platform.kubernetes import Manifest
from tierstack.platform.proxy import GATEWAY_API, TRAEFIK_CLASS

_KEDA = "keda.sh/v1alpha1"
_CPU_PERCENT = 70
"""The share of the reserved processor above which an autoscaler adds pods, in percent."""
_BEHAVIOUR: Manifest = {"scaleDown": {"stabilizationWindowSeconds": 300}}


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
            found += self._queue_scaling() or [
                self._autoscaler("worker", "-worker", counts.workers, counts.max_workers)
            ]
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
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _CPU_PERCENT}}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": self.metadata(role, suffix),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{self.name}{suffix}"},
                "minReplicas": low,
                "maxReplicas": high,
                "metrics": [{"type": "Resource", "resource": cpu}],
                "behavior": _BEHAVIOUR,
            },
        }

    def _queue_scaling(self) -> list[Manifest]:
        """KEDA makes the autoscaler of the workers: by the length of their queue, and by CPU."""
        queue, redis, counts = self.args.worker_queue, self.args.redis, self.args.counts
        if queue is None or redis is None:
            return []
        secrets: list[Manifest] = [
            {"parameter": "password", "name": redis.password.secret_name, "key": redis.password.key}
        ]
        if redis.ca:
            secrets.append({"parameter": "ca", "name": redis.ca.secret_name, "key": CA_FILE})
        address = pulumi.Output.concat(redis.host, f".{self.args.platform.name}.svc:", redis.port)
        by_length = {
            "type": "redis",
            "metadata": {
                "address": address,
                "enableTLS": "true" if redis.ca else "false",
                "listName": queue.list_name,
                "listLength": str(queue.jobs_per_worker),
                "databaseIndex": str(queue.database_index),
            },
            "authenticationRef": {"name": f"{self.name}-queue"},
        }
        by_cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(_CPU_PERCENT)}}
        scaled: Manifest = {
            "scaleTargetRef": {"name": f"{self.name}-worker"},
            "pollingInterval": 15,
            "minReplicaCount": counts.workers,
            "maxReplicaCount": counts.max_workers,
            # Where Redis does not answer, as many as at rest.
            "fallback": {"failureThreshold": 3, "replicas": counts.workers},
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _BEHAVIOUR}},
            "triggers": [by_length, by_cpu],
        }
        authentication = self.metadata("worker", "-queue")
        rules = [policies.ingress([policies.namespace(queue.keda_namespace)])]
        rules[0]["ports"] = [{"protocol": "TCP", "port": pulumi.Output.from_input(redis.port).apply(int)}]
        return [
            policies.policy(
                f"{self.name}-queue", redis.endpoint_labels or {}, ingress=rules, labels=self.labels("worker")
            ),
            {"apiVersion": _KEDA, "kind": "TriggerAuthentication", "metadata": authentication}
            | {"spec": {"secretTargetRef": secrets}},
            {"apiVersion": _KEDA, "kind": "ScaledObject", "metadata": self.metadata("worker", "-worker")}
            | {"spec": scaled},
        ]

    def network_policy(self) -> Manifest:
        """In: the proxy only. Out: this namespace (what listens there judges by labels), DNS, the ports asked for at
        public addresses, and the private networks asked for."""
        args = self.args
        proxies = [policies.namespace(args.gateway.proxy_namespace or "")]
        egress = [policies.egress([{"podSelector": {}}]), policies.DNS]
        if ports := [443, 587] if args.outbound_ports is None else args.outbound_ports:
            egress.append(policies.egress(policies.outside(), *ports))
        egress += [
            policies.egress([{"ipBlock": {"cidr": one.cidr}}], *one.ports) for one in args.outbound_networks or []
        ]
        return policies.policy(
            self.name,
            {"app.kubernetes.io/name": self.name},
            ingress=[policies.ingress(proxies, args.port)],
            egress=egress,
            labels=self.labels("web"),
        )

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
