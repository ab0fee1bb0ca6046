"""Pods of an AppCluster on Kubernetes, and what runs them: functions of the arguments, nothing registered here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pulumi

from tierstack.app_cluster import limits, processes, server
from tierstack.app_cluster.args import AppClusterArgs, SecretDelivery
from tierstack.app_cluster.connections import connected, trusted
from tierstack.links import SecretRef
from tierstack.platform.internal_ca import CA_FILE, ca_directory
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.pod_settings import settings
from tierstack.platform.kubernetes.workload import CONTAINER_SECURITY, POD_SECURITY

_DRAIN_SECONDS = 5  # how long proxies may take to learn that a pod leaves
DEADLINE_SECONDS = 600
"""How long a Deployment may make no progress until its update has failed."""
_RELOAD = "secret.reloader.stakater.com/reload"
_MIGRATION_RETRIES = 4  # each after 10, 20, 40 and 80 s, and each of several tries: a failover in between ends sooner
DATABASE_WAIT_SECONDS = 600
"""How much longer than the migration its Job may take, for a database that is made at the same time."""


_PATIENT = [
    "/bin/sh",
    "-c",
    # NetworkPolicies let a pod through only some time after it has started, often a second, and a Job's next pod
    # would have to wait for it just as long.
    'for pause in 1 2 4 8; do "$@" && exit 0; sleep $pause; done; exec "$@"',
    "sh",
]
"""Before a command that asks others as soon as it starts, and may run again: tried five times within 15 s."""


def release_of(args: AppClusterArgs) -> pulumi.Input[str]:
    """The name of the release; an output where an image comes from another resource or stack."""
    if all(image is None or isinstance(image, str) for image in (args.image, args.nginx_image)):
        return processes.release(args)
    known = pulumi.Output.all(args.image, args.nginx_image)
    return known.apply(lambda images: processes.release(replace(args, image=str(images[0]), nginx_image=images[1])))


def _called(release: pulumi.Input[str], name: Callable[[str], str]) -> pulumi.Input[str]:
    return name(release) if isinstance(release, str) else pulumi.Output.from_input(release).apply(name)


class Pods:
    """The processes of one application in one namespace."""

    def __init__(
        self, name: str, args: AppClusterArgs, secrets: dict[str, SecretRef], revision: pulumi.Input[str]
    ) -> None:
        assert args.gateway.kubernetes  # the rules ask for it
        self.gateway = args.gateway.kubernetes
        self.name, self.args, self.secrets, self.revision = name, args, secrets, revision
        self.connected = connected(args)
        self.release = release_of(args)
        files = processes.files(args)
        self.configuration = f"{name}-config-{processes.digest(files, 8)}" if files else None

    def labels(self, role: str) -> dict[str, str]:
        """What selects the pods of a role; never changes, because a Deployment's selector cannot."""
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": role}

    def metadata(self, role: str, suffix: str = "") -> Manifest:
        return {"name": f"{self.name}{suffix}", "labels": self.labels(role)}

    def _deployment(self, role: str, suffix: str, spec: Manifest) -> Manifest:
        metadata = self.metadata(role, suffix)
        if self.args.secrets and self.args.platform.renders:
            # Where the engine applies, `revision` rolls the pods; here a rotated secret is noticed by Reloader.
            metadata["annotations"] = {_RELOAD: f"{self.name}-secrets"}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}

    def _environment(self, direct: bool, more: Mapping[str, str]) -> list[Manifest]:
        args = self.args
        values: dict[str, pulumi.Input[str]] = {**processes.plain_environment(args)}
        for one in self.connected:
            values |= {**one.late, **(one.direct if direct else {})}
        values |= more
        found: list[Manifest] = [{"name": key, "value": values[key]} for key in sorted(values)]
        if args.secret_delivery is SecretDelivery.ENV:
            found += [
                {"name": key, "valueFrom": {"secretKeyRef": {"name": ref.secret_name, "key": ref.key}}}
                for key, ref in self.secrets.items()
            ]
        return found

    def _volumes(self, scratch_mb: int = 64) -> tuple[list[Manifest], list[Manifest]]:
        """Volumes and mounts of every process of the application, with `scratch_mb` of /tmp."""
        args = self.args
        memory = {"medium": "Memory", "sizeLimit": "64Mi"}
        volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": f"{scratch_mb}Mi"}}]
        mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]
        for index, path in enumerate(args.writable_paths or []):
            volumes.append({"name": f"writable-{index}", "emptyDir": memory})
            mounts.append({"name": f"writable-{index}", "mountPath": path})
        if args.uploads:
            volumes.append({"name": "uploads", "persistentVolumeClaim": {"claimName": f"{self.name}-uploads"}})
            mounts.append({"name": "uploads", "mountPath": args.uploads.path})
        for of, ca in trusted(args).items():
            # Only the certificate of the Secret, whose other entries may be keys.
            only = [{"key": CA_FILE, "path": CA_FILE}]
            volumes.append({"name": f"{of}-ca", "secret": {"secretName": ca.secret_name, "items": only}})
            mounts.append({"name": f"{of}-ca", "mountPath": ca_directory(of), "readOnly": True})
        if args.secret_delivery is SecretDelivery.FILE and self.secrets:
            sources = [
                {"secret": {"name": ref.secret_name, "items": [{"key": ref.key, "path": key}]}}
                for key, ref in self.secrets.items()
            ]
            volumes.append({"name": "secrets", "projected": {"defaultMode": 0o440, "sources": sources}})
            mounts.append({"name": "secrets", "mountPath": processes.SECRETS, "readOnly": True})
        return volumes, mounts

    def _process(
        self, name: str, command: list[str], memory_mb: int, cpu: float, mounts: list[Manifest], **more: Any
    ) -> Manifest:
        """A container of the application's image. Memory is reserved in full, so that no pod is killed for another's
        need; CPU has no limit, because throttling costs latency while the node idles."""
        return {
            "name": name,
            "image": self.args.image,
            "command": command,
            "env": self._environment(more.pop("direct", False), more.pop("environment", None) or {}),
            "resources": {
                "requests": {"cpu": f"{round(cpu * 1000)}m", "memory": f"{memory_mb}Mi"},
                "limits": {"memory": f"{memory_mb}Mi"},
            },
            "securityContext": CONTAINER_SECURITY,
            "volumeMounts": mounts,
            **more,
        }

    def _pod(self, role: str, spec: Manifest, *, direct: bool = False) -> Manifest:
        args = self.args
        uid, gid = (int(part) for part in args.user.split(":"))
        labels = self.labels(role)
        for one in self.connected:
            labels |= one.link.client_labels or {}
        if direct and args.database:
            labels |= args.database.direct_client_labels or {}
        return {
            "metadata": {
                "labels": {**labels, "tierstack.dev/release": self.release},
                "annotations": {"tierstack.dev/revision": self.revision},
            },
            "spec": {
                "serviceAccountName": self.name,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {**POD_SECURITY, "runAsUser": uid, "runAsGroup": gid, "fsGroup": gid},
                **spec,
            },
        }

    def web(self) -> Manifest:
        args, counts = self.args, self.args.counts
        containers, volumes = self._http() if args.http_server else self._php()
        selector = {"matchLabels": self.labels("web")}
        spread = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
                "matchLabelKeys": ["pod-template-hash"],  # each release is spread by itself
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
        pod = self._pod(
            "web",
            {
                "terminationGracePeriodSeconds": limits.container_stop_seconds(args) + _DRAIN_SECONDS,
                "topologySpreadConstraints": spread,
                **({"initContainers": copies} if (copies := self._copy_public()) else {}),
                "containers": containers,
                "volumes": volumes,
            },
        )
        spec: Manifest = {
            "selector": selector,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": DEADLINE_SECONDS,
            "template": pod,
        }
        if counts.max_replicas == counts.replicas:  # else the autoscaler owns the field
            spec["replicas"] = counts.replicas
        return self._deployment("web", "", spec)

    def _http_probes(self) -> Manifest:
        """Probes of a server of the image's own. The start has a day: it is asked `readiness_path`, and a database that
        is away then is no reason to kill it. What the work answers is no sign of life, because it may wait for long."""
        args = self.args
        host = [{"name": "Host", "value": args.hostnames[0]}, {"name": "X-Forwarded-Proto", "value": "https"}]
        start = _get(args.health.readiness_path or args.health.path, "http", host)
        alive = _get(args.health.path, "http" if args.health.port is None else args.health.port, host)
        probes: Manifest = {
            "startupProbe": {**start, "periodSeconds": 5, "timeoutSeconds": 4, "failureThreshold": 17280}
        }
        if args.health.port is not None:
            ready = {**alive, "periodSeconds": 5, "timeoutSeconds": 3}
            return {**probes, "readinessProbe": ready, "livenessProbe": _living(alive)}
        listens = {"tcpSocket": {"port": "http"}, "periodSeconds": 5, "timeoutSeconds": 3}
        patient = {**alive, "periodSeconds": 60, "timeoutSeconds": 30, "failureThreshold": 10}
        return {**probes, "readinessProbe": listens, "livenessProbe": patient}

    def _http(self) -> tuple[list[Manifest], list[Manifest]]:
        args, web = self.args, self.args.http_server
        assert web
        volumes, mounts = self._volumes()
        container = self._process(
            "web",
            list(web.command),
            processes.web_memory_mb(args),
            processes.web_cpu(args),
            mounts,
            ports=[{"name": "http", "containerPort": web.port}],
            # Until the proxies know that it leaves; then SIGTERM.
            lifecycle={"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}},
            **self._http_probes(),
        )
        return [container], volumes

    def _php(self) -> tuple[list[Manifest], list[Manifest]]:
        """PHP-FPM and nginx, which share a socket; PHP-FPM stops when nginx has answered the last request."""
        args, web = self.args, self.args.php
        assert web
        volumes, mounts = self._volumes(limits.php_scratch_mb(args))
        # They may be reached from the document root, by a link such as Laravel's `public/storage`.
        uploads = [{**mount, "readOnly": True} for mount in mounts if mount["name"] == "uploads"]
        scratch = {"medium": "Memory", "sizeLimit": f"{limits.bodies_mb(args)}Mi"}
        volumes += [
            {"name": "config", "configMap": {"name": self.configuration}},
            {"name": "sockets", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "nginx-tmp", "emptyDir": scratch},
        ]
        shared = [
            {"name": "config", "mountPath": server.CONFIG, "readOnly": True},
            {"name": "sockets", "mountPath": server.SOCKETS},
        ]
        public: list[Manifest] = []
        if args.nginx_image:
            volumes.append({"name": "public", "emptyDir": {}})
            public = [{"name": "public", "mountPath": web.document_root, "readOnly": True}]
        nginx_gone = f"while [ -e {server.SOCKETS}/nginx.pid ]; do sleep 0.2; done"
        php = self._process(
            "php",
            processes.fpm_command(args),
            processes.web_memory_mb(args),
            processes.web_cpu(args),
            [*mounts, *shared],
            lifecycle=_quit(nginx_gone),
            startupProbe=_started(_get(server.PING)),
            livenessProbe=_living(_get(server.PING)),
        )
        nginx_memory = limits.nginx_memory_mb(args)
        nginx: Manifest = {
            "name": "nginx",
            "image": args.nginx_image or args.image,
            "command": processes.nginx_command(args),
            "ports": [{"name": "http", "containerPort": web.port}],
            "resources": {
                "requests": {"cpu": "50m", "memory": f"{nginx_memory}Mi"},
                "limits": {"memory": f"{nginx_memory}Mi"},
            },
            "securityContext": CONTAINER_SECURITY,
            "volumeMounts": [*shared, {"name": "nginx-tmp", "mountPath": "/tmp"}, *public, *uploads],
            "lifecycle": _quit(f"sleep {_DRAIN_SECONDS}"),
            "startupProbe": _started(_get(server.ALIVE)),
            "readinessProbe": {**_get(server.READY), "periodSeconds": 5, "timeoutSeconds": 4},
            "livenessProbe": _living(_get(server.ALIVE)),
        }
        return [php, nginx], volumes

    def _copy_public(self) -> list[Manifest]:
        """Fills the document root that a separate nginx image sees."""
        args = self.args
        if not args.nginx_image or not args.php:
            return []
        copy = self._process("public", ["cp", "-R", f"{args.php.document_root}/.", "/public/"], 64, 0.05, [])
        return [{**copy, "env": [], "volumeMounts": [{"name": "public", "mountPath": "/public"}]}]

    def migration(self) -> Manifest | None:
        """A Job named by what it runs: Jobs cannot change, and the same release needs it once."""
        args, migration = self.args, self.args.migration
        if migration is None:
            return None
        volumes, mounts = self._volumes()
        container = self._process(
            "migrate", [*_PATIENT, *migration.command], migration.memory_mb, migration.cpu, mounts, direct=True
        )
        waits = self._database_wait()
        pod = self._pod(
            "migration",
            {
                "restartPolicy": "Never",
                **({"initContainers": waits} if waits else {}),
                "containers": [container],
                "volumes": volumes,
            },
            direct=True,
        )
        shape: list[object] = [migration.command, migration.timeout_seconds, len(waits)]
        if settled := settings(args.platform):
            shape.append(settled)
        name = _called(self.release, lambda release: f"{self.name}-migrate-{processes.digest([release, *shape], 10)}")
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                **self.metadata("migration"),
                "name": name,
                # A Job that has failed never runs again, so the next `up` makes it anew instead of waiting for it.
                "annotations": {"pulumi.com/replaceUnready": "true"},
            },
            "spec": {
                "backoffLimit": _MIGRATION_RETRIES,
                "activeDeadlineSeconds": migration.timeout_seconds + (DATABASE_WAIT_SECONDS if waits else 0),
                "template": pod,
            },
        }

    def _database_wait(self) -> list[Manifest]:
        """Waits for the database, which a first sync may make at the same time; none where its image is not known."""
        database = self.args.database
        if database is None or database.client_image is None or database.ready_command is None:
            return []
        addresses: dict[str, pulumi.Input[str]] = {"DB_HOST": database.direct_host, "DB_PORT": database.direct_port}
        amounts = {"memory": "32Mi"}
        return [
            {
                "name": "database",
                "image": database.client_image,
                "command": ["/bin/sh", "-c", f"until {database.ready_command}; do sleep 2; done"],
                "env": [{"name": key, "value": value} for key, value in addresses.items()],
                "resources": {"requests": {"cpu": "10m", **amounts}, "limits": amounts},
                "securityContext": CONTAINER_SECURITY,
            }
        ]


def _quit(first: str) -> Manifest:
    """A hook that runs `first`, then stops the process gracefully and waits for it: Kubernetes sends SIGTERM, which
    nginx and PHP-FPM take as "at once", as soon as the hook ends."""
    script = f"{first}; kill -QUIT 1; while kill -0 1 2>/dev/null; do sleep 0.2; done"
    return {"preStop": {"exec": {"command": ["/bin/sh", "-c", script]}}}


def _get(path: str, port: str | int = server.PROBES, headers: list[Manifest] | None = None) -> Manifest:
    """What a probe asks over HTTP."""
    return {"httpGet": {"path": path, "port": port, **({"httpHeaders": headers} if headers else {})}}


def _started(probe: Manifest) -> Manifest:
    """Three minutes for a process to start, which waits for no other."""
    return {**probe, "periodSeconds": 2, "timeoutSeconds": 4, "failureThreshold": 90}


def _living(probe: Manifest) -> Manifest:
    """Killed after a minute without an answer."""
    return {**probe, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6}
