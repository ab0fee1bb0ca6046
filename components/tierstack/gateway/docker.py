"""Gateway on a Docker host: one Traefik, configured by files that change without replacing it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pulumi

from tierstack.gateway.args import GatewayArgs
from tierstack.links import AcmeClient, Certificate, DockerGateway, GatewayEndpoint
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service, host
from tierstack.platform.proxy import acme, traefik
from tierstack.platform.proxy.sizing import runtime
from tierstack.platform.revision import revision


def build(name: str, parent: pulumi.Resource, args: GatewayArgs) -> GatewayEndpoint:
    """Register everything and say where applications attach."""
    on = host(args.platform, parent)
    assert args.image  # the rules ask for both
    assert args.tools_image
    uid, gid = (int(part) for part in args.user.split(":"))
    client = args.certificate.acme

    def static(hmac_key: str | None = None) -> str:
        found = acme.resolvers(client, traefik.HOME, "http", hmac_key) if client else None
        return traefik.static(
            args.https_port, args.trusted_proxies or [], args.stop_seconds, found, args.read_timeout_seconds
        )

    source = _from_acme(on, name, parent, args, client, static) if client else _given(args.certificate, static())
    network = on.network(f"{name}-front", parent)
    volume = on.volume(f"{name}-config", parent, data=False)
    files = on.files(
        f"{name}-files",
        parent,
        volume=volume,
        files=source.files,
        image=args.tools_image,
        owner=(uid, gid),
    )
    command = args.command or ["/usr/local/bin/traefik"]
    configuration = f"--configFile={traefik.HOME}/{traefik.STATIC}"
    on.container(
        name,
        parent,
        Service(
            image=args.image,
            command=[*command, configuration],
            user=args.user,
            networks=[Attachment(network=network.name)],
            memory_mb=args.memory_mb,
            # Through the files' own resource, so that they are there when Traefik starts.
            mounts=[Mount(volume=files.volume, path=traefik.HOME, read_only=True), *source.mounts],
            environment={**runtime(args.memory_mb), **source.environment},
            ports=[(args.http_port, traefik.HTTP), (args.https_port, traefik.HTTPS)],
            host_ip=args.bind_address,
            health=Health(command=[*command, "healthcheck", configuration]),
            stop_seconds=args.stop_seconds + 5,
            # Read at the start only, so another static part needs another container.
            labels={"tierstack.dev/configuration": source.digest, **source.labels},
        ),
    )
    return GatewayEndpoint(
        https_port=args.https_port,
        docker=DockerGateway(
            network=network.name,
            volume=files.volume,
            directory=traefik.DYNAMIC,
            entry_point=traefik.HTTPS_ENTRY,
            user=args.user,
            tools_image=args.tools_image,
        ),
        trusted_proxies=args.trusted_proxies,
        hostnames=list(args.certificate.hostnames),
        gateway=name,
        place=args.platform.place,
    )


@dataclass
class _Source:
    """Where Traefik has its certificate from."""

    files: dict[str, pulumi.Input[str]]
    """Of the configuration volume."""
    digest: str
    """Of what is read at the start only."""
    mounts: list[Mount] = field(default_factory=list[Mount])
    environment: dict[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    labels: dict[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])


def _given(certificate: Certificate, static: str) -> _Source:
    """A chain and a key that others made."""
    pair = pulumi.Output.all(certificate.certificate_pem, certificate.private_key_pem)
    tls = pulumi.Output.secret(pair.apply(lambda pem: traefik.tls(str(pem[0]), str(pem[1]))))
    return _Source(files={traefik.STATIC: static, traefik.TLS: tls}, digest=_digest(static))


def _from_acme(
    on: Host,
    name: str,
    parent: pulumi.Resource,
    args: GatewayArgs,
    client: AcmeClient,
    static: Callable[[str | None], str],
) -> _Source:
    """Traefik's own client. Account and certificates lie in a volume of data: a container that takes another's place
    asks for nothing again, which the limits of public CAs would soon refuse."""
    assert args.tools_image
    uid, gid = (int(part) for part in args.user.split(":"))
    kept = on.volume(f"{name}-acme", parent, data=True)
    # One file of ours, so that the volume belongs to Traefik's user.
    owned = on.files(
        f"{name}-acme", parent, volume=kept, files={".tierstack": ""}, image=args.tools_image, owner=(uid, gid)
    )
    whole: pulumi.Input[str] = static(None)
    if client.eab_hmac_key is not None:
        whole = pulumi.Output.secret(client.eab_hmac_key).apply(static)
    secrets = acme.secrets(client)
    labels: dict[str, pulumi.Input[str]] = {}
    if secrets:
        # The digits are meant to be seen: another secret needs another container.
        labels["tierstack.dev/secrets"] = pulumi.Output.unsecret(pulumi.Output.all(**secrets).apply(revision))
    return _Source(
        files={
            traefik.STATIC: whole,
            traefik.TLS: traefik.tls_of(acme.wanted(client, args.certificate.hostnames)),
            **acme.files(client),
        },
        digest=_digest(static(None) + (client.ca_pem or "")),
        mounts=[Mount(volume=owned.volume, path=acme.STORAGE)],
        environment=acme.environment(client, traefik.HOME),
        labels=labels,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
