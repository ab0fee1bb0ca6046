"""Pods of one release on Kubernetes, and what runs them: functions of the release, nothing registered here."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from tierstack.app_cluster import limits, processes, server
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.connections import connected, trusted
from tierstack.app_cluster.options import SecretDelivery
from tierstack.app_cluster.release import Release
from tierstack.links import SecretRef
from tierstack.platform.internal_ca import CA_FILE, ca_directory
from tierstack.platform.kubernetes import jobs, placement, probes, volumes, workload
from tierstack.platform.kubernetes.config import config_map, name_of
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.quantities import resources
from tierstack.platform.revision import ANNOTATION

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


def labels(app_name: str, role: str) -> dict[str, str]:
    """What selects the pods of a role; never changes, because a Deployment's selector cannot."""
    return {"app.kubernetes.io/name": app_name, "app.kubernetes.io/component": role}


class Pods:
    """The processes of one release of an application in one namespace."""

    def __init__(
        self,
        name: str,
        app: Application,
        release: Release,
        release_name: pulumi.Input[str],
        secrets: dict[str, SecretRef],
        revision: pulumi.Input[str],
        *,
        beside: str | None = None,
    ) -> None:
        """`beside`: the release's name, where it runs beside the first of the list, which has the names of the
        application alone."""
        self.name, self.app, self.release, self.release_name = name, app, release, release_name
        self.secrets, self.revision = secrets, revision
        self.connected = connected(app)
        self.web_role = f"web-{beside}" if beside else "web"
        """What labels and selectors call the web pods of this release."""
        self.web_name = f"{name}-{self.web_role}" if beside else name
        """The name of the release's Deployment, Service, autoscaler and budget."""
        files = processes.files(app, release)
        # Named by its content: releases with the same files share it.
        self.configuration = config_map(f"{name}-config", files, labels(name, "web")) if files else None
        """The ConfigMap of the release; None for a server of the image's own."""

    def labels(self, role: str) -> dict[str, str]:
        """What selects the pods of a role."""
        return labels(self.name, role)

    def deployment(self, name: str, role: str, pod: Manifest, *, strategy: Manifest, replicas: int | None) -> Manifest:
        """The Deployment of a role. `replicas` None: an autoscaler owns the field."""
        # Where the engine applies, `revision` rolls the pods; in rendered files Reloader notices a rotated secret.
        reloaded = self.app.secrets and self.app.platform.renders
        return workload.deployment(
            name,
            self.labels(role),
            pod,
            strategy=strategy,
            replicas=replicas,
            labels=self.labels(role),
            annotations={_RELOAD: f"{self.name}-secrets"} if reloaded else None,
            revisionHistoryLimit=5,
            progressDeadlineSeconds=DEADLINE_SECONDS,
        )

    def _environment(self, direct: bool, more: Mapping[str, str]) -> list[Manifest]:
        values: dict[str, pulumi.Input[str]] = {**processes.plain_environment(self.app, self.release)}
        for one in self.connected:
            values |= {**one.late, **(one.direct if direct else {})}
        values |= more
        found = workload.variables({key: values[key] for key in sorted(values)})
        if self.release.secret_delivery is SecretDelivery.ENV:
            found += [workload.from_secret(key, ref.secret_name, ref.key) for key, ref in self.secrets.items()]
        return found

    def _volumes(self, scratch_mb: int = 64) -> tuple[list[Manifest], list[Manifest]]:
        """Volumes and mounts of every process of the application, with `scratch_mb` of /tmp."""
        app, release = self.app, self.release
        found, mounts = [volumes.memory("tmp", scratch_mb)], [volumes.mount("tmp", "/tmp")]
        for index, path in enumerate(release.writable_paths):
            found.append(volumes.memory(f"writable-{index}", 64))
            mounts.append(volumes.mount(f"writable-{index}", path))
        if app.uploads:
            found.append({"name": "uploads", "persistentVolumeClaim": {"claimName": f"{self.name}-uploads"}})
            mounts.append(volumes.mount("uploads", app.uploads.path))
        for of, ca in trusted(app).items():
            # Only the certificate of the Secret, whose other entries may be keys.
            found.append(volumes.secret(f"{of}-ca", ca.secret_name, [CA_FILE]))
            mounts.append(volumes.mount(f"{of}-ca", ca_directory(of), read_only=True))
        if release.secret_delivery is SecretDelivery.FILE and self.secrets:
            sources = [volumes.secret_file(ref.secret_name, ref.key, key) for key, ref in self.secrets.items()]
            found.append(volumes.projected("secrets", sources))
            mounts.append(volumes.mount("secrets", processes.SECRETS, read_only=True))
        return found, mounts

    def _process(
        self, name: str, command: list[str], memory_mb: int, cpu: float, mounts: list[Manifest], **more: Any
    ) -> Manifest:
        """A container of the application's image."""
        env = self._environment(more.pop("direct", False), more.pop("environment", None) or {})
        return workload.container(name, self.release.image, command, resources(memory_mb, cpu), mounts, env=env, **more)

    def _pod(
        self,
        role: str,
        containers: list[Manifest],
        mounted: list[Manifest],
        *,
        before: Sequence[Manifest] = (),
        stop_seconds: int | None = None,
        direct: bool = False,
        revision: bool = True,
        **fields: Any,
    ) -> Manifest:
        """The template of a role's pods. `before`: containers that end before the others start. `direct`: they may
        reach the primary of the database itself. `revision`: another secret restarts them."""
        app = self.app
        uid, gid = (int(part) for part in app.user.split(":"))
        own = self.labels(role)
        for one in self.connected:
            own |= one.link.client_labels or {}
        if direct and app.database:
            own |= app.database.direct_client_labels or {}
        return workload.pod(
            {**own, "tierstack.dev/release": self.release_name},
            containers,
            security=workload.user(uid, gid),
            before=before,
            volumes=mounted,
            stop_seconds=stop_seconds,
            annotations={ANNOTATION: self.revision} if revision else None,
            serviceAccountName=self.name,
            **workload.NO_TOKEN,
            **fields,
        )

    def web(self) -> Manifest:
        """The Deployment that answers requests."""
        release, counts = self.release, self.release.counts
        containers, mounted = self._http() if release.http_server else self._php()
        pod = self._pod(
            self.web_role,
            containers,
            mounted,
            before=self._copy_public(),
            stop_seconds=limits.container_stop_seconds(release) + _DRAIN_SECONDS,
            topologySpreadConstraints=placement.spread(self.labels(self.web_role), each_release=True),
        )
        owned = counts.max_replicas > counts.replicas  # by the autoscaler
        replicas = None if owned else counts.replicas
        strategy = workload.rolling(unavailable=0, surge="25%")
        return self.deployment(self.web_name, self.web_role, pod, strategy=strategy, replicas=replicas)

    def _http_probes(self) -> Manifest:
        """Probes of a server of the image's own. The start has a day: it is asked `readiness_path`, and a database that
        is away then is no reason to kill it. What the work answers is no sign of life, because it may wait for long."""
        health = self.release.health
        host = {"Host": self.app.hostnames[0], "X-Forwarded-Proto": "https"}
        start = probes.http(health.readiness_path or health.path, "http", host)
        alive = probes.http(health.path, "http" if health.port is None else health.port, host)
        begun = {"startupProbe": probes.probe(start, 5, timeout=4, failures=17280)}
        if health.port is not None:
            return {**begun, "readinessProbe": probes.probe(alive, 5, timeout=3), "livenessProbe": _living(alive)}
        listens = probes.probe(probes.tcp("http"), 5, timeout=3)
        patient = probes.probe(alive, 60, timeout=30, failures=10)
        return {**begun, "readinessProbe": listens, "livenessProbe": patient}

    def _http(self) -> tuple[list[Manifest], list[Manifest]]:
        release, web = self.release, self.release.http_server
        assert web
        mounted, mounts = self._volumes()
        container = self._process(
            "web",
            list(web.command),
            processes.web_memory_mb(release),
            processes.web_cpu(release),
            mounts,
            ports=[workload.port("http", web.port)],
            # Until the proxies know that it leaves; then SIGTERM.
            lifecycle=probes.leave(_DRAIN_SECONDS),
            **self._http_probes(),
        )
        return [container], mounted

    def _php(self) -> tuple[list[Manifest], list[Manifest]]:
        """PHP-FPM and nginx, which share a socket; PHP-FPM stops when nginx has answered the last request."""
        release, web = self.release, self.release.php
        assert web
        assert self.configuration
        mounted, mounts = self._volumes(limits.php_scratch_mb(release))
        # They may be reached from the document root, by a link such as Laravel's `public/storage`.
        uploads = [{**mount, "readOnly": True} for mount in mounts if mount["name"] == "uploads"]
        mounted += [
            volumes.config("config", name_of(self.configuration)),
            volumes.memory("sockets", 1),
            volumes.memory("nginx-tmp", limits.bodies_mb(release)),
        ]
        shared = [volumes.mount("config", server.CONFIG, read_only=True), volumes.mount("sockets", server.SOCKETS)]
        public: list[Manifest] = []
        if release.nginx_image:
            mounted.append({"name": "public", "emptyDir": {}})
            public = [volumes.mount("public", web.document_root, read_only=True)]
        ping, alive = probes.http(server.PING, server.PROBES), probes.http(server.ALIVE, server.PROBES)
        php = self._process(
            "php",
            processes.fpm_command(release),
            processes.web_memory_mb(release),
            processes.web_cpu(release),
            [*mounts, *shared],
            lifecycle=probes.quit_after(f"while [ -e {server.SOCKETS}/nginx.pid ]; do sleep 0.2; done"),
            startupProbe=_started(ping),
            livenessProbe=_living(ping),
        )
        nginx = workload.container(
            "nginx",
            release.nginx_image or release.image,
            processes.nginx_command(release),
            resources(limits.nginx_memory_mb(release), 0.05),
            [*shared, volumes.mount("nginx-tmp", "/tmp"), *public, *uploads],
            ports=[workload.port("http", web.port)],
            lifecycle=probes.quit_after(f"sleep {_DRAIN_SECONDS}"),
            startupProbe=_started(alive),
            readinessProbe=probes.probe(probes.http(server.READY, server.PROBES), 5, timeout=4),
            livenessProbe=_living(alive),
        )
        return [php, nginx], mounted

    def _copy_public(self) -> list[Manifest]:
        """Fills the document root that a separate nginx image sees."""
        release = self.release
        if not release.nginx_image or not release.php:
            return []
        command = ["cp", "-R", f"{release.php.document_root}/.", "/public/"]
        mounts = [volumes.mount("public", "/public")]
        return [workload.container("public", release.image, command, resources(64, 0.05), mounts, env=[])]

    def migration(self) -> Manifest | None:
        """A Job that runs once for each release, and again where it would find another database, Redis or setting."""
        migration = self.release.migration
        if migration is None:
            return None
        mounted, mounts = self._volumes()
        container = self._process(
            "migrate", [*_PATIENT, *migration.command], migration.memory_mb, migration.cpu, mounts, direct=True
        )
        waits = self._database_wait()
        return jobs.job(
            f"{self.name}-migrate",
            # Without a revision of the secrets: another password is no reason to migrate again.
            self._pod("migration", [container], mounted, before=waits, direct=True, revision=False),
            self.app.platform,
            retries=_MIGRATION_RETRIES,
            deadline_seconds=migration.timeout_seconds + (DATABASE_WAIT_SECONDS if waits else 0),
            labels=self.labels("migration"),
        )

    def _database_wait(self) -> list[Manifest]:
        """Waits for the database, which a first sync may make at the same time; none where its image is not known."""
        database = self.app.database
        if database is None or database.client_image is None or database.ready_command is None:
            return []
        command = ["/bin/sh", "-c", f"until {database.ready_command}; do sleep 2; done"]
        env = workload.variables({"DB_HOST": database.direct_host, "DB_PORT": database.direct_port})
        return [workload.container("database", database.client_image, command, resources(32, 0.01), env=env)]


def _started(action: Manifest) -> Manifest:
    """Three minutes for a process to start, which waits for no other."""
    return probes.probe(action, 2, timeout=4, failures=90)


def _living(action: Manifest) -> Manifest:
    """Killed after a minute without an answer."""
    return probes.probe(action, 10, timeout=5, failures=6)
