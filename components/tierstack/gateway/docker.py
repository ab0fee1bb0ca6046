"""Gateway on a Docker host: one Traefik, configured by files that change without replacing it."""

import hashlib

import pulumi

from tierstack.gateway import traefik
from tierstack.gateway.args import GatewayArgs
from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.wiring import GatewayEndpoint


def build(name: str, parent: pulumi.Resource, args: GatewayArgs) -> GatewayEndpoint:
    """Register everything and say where applications attach."""
    on = host(args.platform)
    assert args.image  # the rules ask for both
    assert args.tools_image
    uid, gid = (int(part) for part in args.user.split(":"))
    static = traefik.static(args.https_port, args.trusted_proxies or [], args.stop_seconds)
    pair = pulumi.Output.all(args.certificate.certificate_pem, args.certificate.private_key_pem)
    tls = pulumi.Output.secret(pair.apply(lambda pem: traefik.tls(str(pem[0]), str(pem[1]))))

    network = on.network(f"{name}-front", parent)
    volume = on.volume(f"{name}-config", parent, data=False)
    files = on.files(
        f"{name}-files",
        parent,
        volume=volume,
        files={traefik.STATIC: static, traefik.TLS: tls},
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
            mounts=[Mount(volume=files.volume, path=traefik.HOME, read_only=True)],
            ports=[(args.http_port, traefik.HTTP), (args.https_port, traefik.HTTPS)],
            host_ip=args.bind_address,
            health=Health(command=[*command, "healthcheck", configuration], interval=3),
            stop_seconds=args.stop_seconds + 5,
            # Read at the start only, so another static part needs another container.
            labels={"tierstack.dev/configuration": hashlib.sha256(static.encode()).hexdigest()[:12]},
        ),
    )
    return GatewayEndpoint(
        https_port=args.https_port,
        tools_image=args.tools_image,
        network=network.name,
        volume=files.volume,
        user=args.user,
    )
