"""Roles of a release on Kubernetes: their Deployments, and what scales them. Nothing is registered here."""

from collections.abc import Iterator

import pulumi

from tierstack.app_cluster.options import QueueScaling, RoleArgs
from tierstack.app_cluster.pods import Pods
from tierstack.links import RedisConnection
from tierstack.platform.internal_ca import CA_FILE
from tierstack.platform.kubernetes import network, probes, workload
from tierstack.platform.kubernetes.manifest import Manifest, manifest

_KEDA = "keda.sh/v1alpha1"
_CPU_PERCENT = 70
"""The share of the reserved processor above which an autoscaler adds pods, in percent."""
_BEHAVIOUR: Manifest = {"scaleDown": {"stabilizationWindowSeconds": 300}}


class Roles(Pods):
    """The background processes of one release in one namespace."""

    def background(self) -> list[Manifest]:
        """A Deployment for each role that runs."""
        counts = self.release.counts.roles
        return [self._role(name, role) for name, role in self.release.roles.items() if counts[name].count]

    def _role(self, name: str, role: RoleArgs) -> Manifest:
        mounted, mounts = self._volumes()
        health, counts = role.health_command, self.release.counts.roles[name]
        living = probes.probe(probes.command(health), 15, timeout=5, failures=4) if health else None
        container = self._process(
            name,
            list(role.command),
            role.memory_mb,
            role.cpu,
            mounts,
            environment=role.environment,
            **({"livenessProbe": living} if living else {}),
        )
        # Of a single role the old pod is gone before the new one starts.
        strategy = workload.ONE_AT_MOST if role.single else workload.rolling(unavailable=1, surge="25%")
        pod = self._pod(name, [container], mounted, stop_seconds=role.stop_seconds)
        # Of a role that is scaled the autoscaler owns the field.
        replicas = None if counts.scaled else counts.count
        return self.deployment(f"{self.name}-{name}", name, pod, strategy=strategy, replicas=replicas)

    def role_scaling(self) -> list[Manifest]:
        """What scales the roles between their bounds."""
        found: list[Manifest] = []
        queues = dict(self._queues())
        for redis, users in _by_redis(queues).items():
            found += self._queue_access(redis, users, [queues[name] for name in users])
        for name, counts in self.release.counts.roles.items():
            if name in queues:
                found.append(self._queue_scaling(name, queues[name]))
            elif counts.scaled:
                found.append(self.autoscaler(f"{self.name}-{name}", name, counts.count, counts.max_count))
        return found

    def _queues(self) -> Iterator[tuple[str, QueueScaling]]:
        """The roles that are scaled by a queue."""
        for name, role in self.release.roles.items():
            if role.queue and self._redis(role.queue.redis) and self.release.counts.roles[name].scaled:
                yield name, role.queue

    def _redis(self, name: str | None) -> RedisConnection | None:
        return self.app.redis if name is None else self.app.more_redis.get(name)

    def autoscaler(self, name: str, role: str, low: int, high: int) -> Manifest:
        """What scales the Deployment `name` of a role by CPU."""
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": _CPU_PERCENT}}
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [{"type": "Resource", "resource": cpu}],
            "behavior": _BEHAVIOUR,
        }
        return manifest("autoscaling/v2", "HorizontalPodAutoscaler", name, spec, labels=self.labels(role))

    def _queue_access(self, name: str | None, users: list[str], queues: list[QueueScaling]) -> list[Manifest]:
        """How KEDA reaches one Redis: the way through its NetworkPolicy, and the password."""
        redis = self._redis(name)
        assert redis  # roles without one have no queue
        secrets: list[Manifest] = [
            {"parameter": "password", "name": redis.password.secret_name, "key": redis.password.key}
        ]
        if redis.ca:
            secrets.append({"parameter": "ca", "name": redis.ca.secret_name, "key": CA_FILE})
        namespaces = dict.fromkeys(one.keda_namespace for one in queues)
        port = pulumi.Output.from_input(redis.port).apply(int)
        rules = [network.ingress([network.namespace(one) for one in namespaces], port)]
        own, labels = f"{self.name}{_access(name)}", self.labels(users[0])
        return [
            network.policy(own, redis.endpoint_labels or {}, ingress=rules, labels=labels),
            manifest(_KEDA, "TriggerAuthentication", own, {"secretTargetRef": secrets}, labels=labels),
        ]

    def _queue_scaling(self, name: str, queue: QueueScaling) -> Manifest:
        """KEDA makes the autoscaler of the role: by the length of its queue, and by CPU."""
        redis, counts = self._redis(queue.redis), self.release.counts.roles[name]
        assert redis  # roles without one have no queue
        by_length = {
            "type": "redis",
            "metadata": {
                "address": pulumi.Output.concat(redis.host, f".{self.app.platform.name}.svc:", redis.port),
                "enableTLS": "true" if redis.ca else "false",
                **({"username": redis.user} if redis.user else {}),
                "listName": queue.list_name,
                "listLength": str(queue.jobs_per_worker),
                "databaseIndex": str(queue.database_index),
            },
            "authenticationRef": {"name": f"{self.name}{_access(queue.redis)}"},
        }
        by_cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": str(_CPU_PERCENT)}}
        scaled: Manifest = {
            "scaleTargetRef": {"name": f"{self.name}-{name}"},
            "pollingInterval": 15,
            "minReplicaCount": counts.count,
            "maxReplicaCount": counts.max_count,
            # Where Redis does not answer, as many as at rest.
            "fallback": {"failureThreshold": 3, "replicas": counts.count},
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _BEHAVIOUR}},
            "triggers": [by_length, by_cpu],
        }
        return manifest(_KEDA, "ScaledObject", f"{self.name}-{name}", scaled, labels=self.labels(name))


def _access(redis: str | None) -> str:
    """What ends the names of the objects by which KEDA reaches a Redis; roles share them."""
    return "-queue" if redis is None else f"-queue-{redis}"


def _by_redis(queues: dict[str, QueueScaling]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for name, queue in queues.items():
        found.setdefault(queue.redis, []).append(name)
    return found
