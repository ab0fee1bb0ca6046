"""One node on a Docker host, or three with Sentinels and HAProxy.

The first of three is the container, and has the volumes, of a single node: it is replaced and keeps its data.
"""

import hashlib
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from tierstack.links import RedisConnection, SecretRef
from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.platform.files import VolumeFiles
from tierstack.platform.internal_ca import SERVER_DIRECTORY, TLSMode, ca_directory
from tierstack.platform.internal_ca.docker import Authority, ServerCertificate, fingerprint
from tierstack.platform.revision import ANNOTATION, revision_of
from tierstack.platform.shared import waiting
from tierstack.redis_cluster import node, proxy, replicated, topology
from tierstack.redis_cluster.alone import Alone, script
from tierstack.redis_cluster.args import APPLICATION_USER, RedisClusterArgs, RedisPurpose

PASSWORD_LENGTH = 32
_OWNER = (node.UID, node.UID)


def files(args: RedisClusterArgs) -> dict[str, str]:
    """The files of the node, without the password."""
    tls = args.tls
    given = dict(node.files(node.config(args.purpose, args.size.memory_mb, replicated=False, tls=tls)))
    if tls is TLSMode.DISABLE:
        return given
    return {**given, "health.sh": node.health_script(tls), "reload.sh": node.reload_script(tls)}


def service(
    name: str,
    args: RedisClusterArgs,
    network: pulumi.Input[str],
    data: pulumi.Input[str],
    config: pulumi.Input[str],
    certificates: Sequence[Mount] = (),
    revision: pulumi.Input[str] = "",
) -> Service:
    """The container of the node. `revision`: that of its passwords."""
    content = "".join(f"{path}\n{text}" for path, text in sorted(files(args).items()))
    return Service(
        image=args.image,
        command=["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        user=f"{node.UID}:{node.UID}",
        networks=[Attachment(network=network, aliases=[name])],
        memory_mb=node.container_memory_mb(args.size.memory_mb),
        cpu_shares=int((1 if args.cpu is None else args.cpu) * 1024),
        mounts=[
            Mount(volume=data, path=node.DATA_DIR),
            Mount(volume=config, path=node.CONFIG_DIR, read_only=True),
            *certificates,
        ],
        # A healthy answer ends the period at once.
        health=Health(command=["/bin/sh", f"{node.CONFIG_DIR}/health.sh"], start_period=node.LOAD_SECONDS),
        wait_seconds=node.LOAD_SECONDS + 60,
        # The server reads its configuration only when it starts, so that a change of it must restart the container.
        labels={
            "tierstack.dev/configuration": hashlib.sha256(content.encode()).hexdigest()[:12],
            ANNOTATION: revision,
        },
        stop_seconds=30,
    )


def build(name: str, parent: pulumi.Resource, args: RedisClusterArgs) -> RedisConnection:
    """Servers in internal networks, their data in protected volumes and their passwords in files of other ones."""
    store = _Store(name, parent, args)
    return store.three() if args.size.nodes == topology.COUNT else store.single()


class _Store:
    """What both forms have, and how each goes on from there."""

    def __init__(self, name: str, parent: pulumi.Resource, args: RedisClusterArgs) -> None:
        self.name, self.parent, self.args = name, parent, args
        self.on = host(args.platform, parent)
        self.passwords = {node.PASSWORD_FILE: _password(f"{name}-password", parent)}
        if args.application_user:
            self.passwords[node.APPLICATION_FILE] = _password(f"{name}-app-password", parent)
        self.of_clients = list(self.passwords.values())[-1]
        self.network = self.on.network(f"{name}-network", parent, internal=True)
        self.authority = None
        if args.tls is not TLSMode.DISABLE:
            self.authority = Authority(
                name, parent, self.on, generation=args.ca_generation, image=args.image, owner=_OWNER
            )

    def single(self) -> RedisConnection:
        """One node, whose name clients call."""
        name, args, on = self.name, self.args, self.on
        config = self._files("", files(args), self.passwords)
        certificate = self._certificate()
        digits = revision_of(self.passwords)
        mounts = self._certificates(certificate)
        made = service(name, args, self.network.name, self._data("").name, config.volume, mounts, digits)
        before = Alone(
            f"{name}-alone",
            container=on.name(name),
            proxy=on.name(f"{name}-proxy"),
            script=script(replicated.topology_of(args)),
            docker_host=args.platform.docker_host,
            opts=waiting(pulumi.ResourceOptions(parent=self.parent), self.parent),
        )
        container = on.container(name, self.parent, made, depends_on=[before])
        self._reload(certificate, name, container)
        return self._connection([container])

    def three(self) -> RedisConnection:
        """The containers are made, and replaced, one after the other: a Sentinel once the one before it watches, a node
        once the one before it is in step."""
        name, args, on = self.name, self.args, self.on
        watching, asking = (_password(f"{name}-{user.name}-password", self.parent) for user in replicated.USERS)
        known = {**self.passwords, replicated.SENTINEL.file: watching, replicated.PROXY.file: asking}
        store = on.network(f"{name}-store", self.parent, internal=True).name
        config = self._files("", replicated.node_files(args), known)
        told = self._proxy_trusts()
        certificate = self._certificate(after=told)
        before = self._sentinels(store, watching)
        nodes: list[docker.Container] = []
        for index in range(topology.COUNT):
            part = "" if index == 0 else f"node-{index}"
            mounts = [
                Mount(volume=self._data(part).name, path=node.DATA_DIR),
                Mount(volume=config.volume, path=node.CONFIG_DIR, read_only=True),
                *self._certificates(certificate),
            ]
            made = replicated.node_service(index, args, store, mounts, revision_of(known))
            nodes.append(on.container(self._called(part), self.parent, made, depends_on=before))
            before = nodes[-1:]
            self._reload(certificate, self._called(part), nodes[-1])
        # As soon as there is a node: one that has become the first of three no longer answers to clients.
        return self._connection([self._proxy(store, asking, nodes[:1]), *nodes])

    def _sentinels(self, store: pulumi.Output[str], password: pulumi.Output[str]) -> list[docker.Container]:
        """The last of them, after which all watch."""
        known = {node.PASSWORD_FILE: password}
        config = self._files("sentinel", replicated.sentinel_files(self.args), known)
        made: list[docker.Container] = []
        for index in range(topology.COUNT):
            called = f"{self.name}-sentinel-{index}"
            # What one remembers it can learn again from the others.
            memory = self.on.volume(f"{called}-data", self.parent, data=False)
            mounts = [
                Mount(volume=memory.name, path=node.DATA_DIR),
                Mount(volume=config.volume, path=node.CONFIG_DIR, read_only=True),
            ]
            one = replicated.sentinel_service(index, self.args, store, mounts, revision_of(known))
            made = [self.on.container(called, self.parent, one, depends_on=made)]
        return made

    def _proxy(
        self, store: pulumi.Output[str], password: pulumi.Output[str], after: list[docker.Container]
    ) -> docker.Container:
        known = {node.PASSWORD_FILE: password}
        config = self._files("proxy", replicated.proxy_files(self.name, self.args), known, (proxy.UID, proxy.UID))
        mounts = [Mount(volume=config.volume, path=replicated.PROXY_DIR, read_only=True), *self._trusted()]
        networks = self.network.name, store
        one = replicated.proxy_service(self.name, self.args, networks, mounts, revision_of(known))
        return self.on.container(f"{self.name}-proxy", self.parent, one, depends_on=after)

    def _proxy_trusts(self) -> list[pulumi.Resource]:
        """HAProxy verifies the nodes when it asks them, so that it learns of another CA before they show it."""
        if not self.authority:
            return []
        name = f"{self.name}-proxy"
        shown: dict[str, pulumi.Input[str]] = {"ca": fingerprint(self.authority.bundle)}
        after = [self.authority.written]
        command = replicated.RELOAD_PROXY
        return [
            self.on.reload(
                f"{name}-reload", self.parent, container=name, command=command, triggers=shown, depends_on=after
            )
        ]

    def _called(self, part: str) -> str:
        return f"{self.name}-{part}" if part else self.name

    def _data(self, part: str) -> docker.Volume:
        return self.on.volume(f"{self._called(part)}-data", self.parent, data=self.args.purpose.is_durable)

    def _files(
        self,
        part: str,
        texts: dict[str, str],
        passwords: Mapping[str, pulumi.Output[str]],
        owner: tuple[int, int] = _OWNER,
    ) -> VolumeFiles:
        called = self._called(part)
        volume = self.on.volume(f"{called}-config", self.parent, data=False)
        given: dict[str, pulumi.Input[str]] = {**texts, **passwords}
        return self.on.files(
            f"{called}-files", self.parent, volume=volume, files=given, image=self.args.image, owner=owner
        )

    def _certificate(self, after: Sequence[pulumi.Resource] = ()) -> ServerCertificate | None:
        """Of all nodes: clients call each by the name of the endpoint."""
        if not self.authority:
            return None
        return self.authority.server(f"{self.name}-server-tls", [self.name], _OWNER, after=after)

    def _trusted(self) -> list[Mount]:
        """What whoever asks a node verifies it by."""
        if not self.authority:
            return []
        return [Mount(volume=self.authority.written.volume, path=ca_directory("redis"), read_only=True)]

    def _certificates(self, certificate: ServerCertificate | None) -> list[Mount]:
        """What a server shows, and what its own command-line client trusts."""
        if certificate is None:
            return []
        return [Mount(volume=certificate.volume, path=SERVER_DIRECTORY, read_only=True), *self._trusted()]

    def _reload(self, certificate: ServerCertificate | None, name: str, container: docker.Container) -> None:
        """Let the server read another certificate without a restart."""
        if certificate is None:
            return
        command = ["/bin/sh", f"{node.CONFIG_DIR}/reload.sh"]
        shown: dict[str, pulumi.Input[str]] = {"certificate": certificate.fingerprint}
        self.on.reload(
            f"{name}-reload", self.parent, container=name, command=command, triggers=shown, depends_on=[container]
        )

    def _connection(self, containers: list[docker.Container]) -> RedisConnection:
        """What consumers are given, once all `containers` are healthy: what uses it starts after them."""
        ready = pulumi.Output.all(*(one.urn for one in self.on.after(containers)))
        return RedisConnection(
            evicts=self.args.purpose is RedisPurpose.CACHE,
            host=ready.apply(lambda _: self.name),
            port=str(node.TLS_PORT if self.authority else node.PORT),
            ca=self.authority.trusted if self.authority else None,
            user=APPLICATION_USER if self.args.application_user else None,
            password=SecretRef(value=pulumi.Output.secret(self.of_clients), revision=revision_of(self.passwords)),
            network=self.network.name,
            place=self.args.platform.place,
        )


def _password(name: str, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Letters and digits, made once."""
    opts = pulumi.ResourceOptions(parent=parent)
    return random.RandomPassword(name, length=PASSWORD_LENGTH, special=False, opts=opts).result
