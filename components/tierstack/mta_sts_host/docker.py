"""MtaStsHost on a Docker host: a small nginx whose files change without replacing it."""

import posixpath

import pulumi

from tierstack.mta_sts_host import server
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform.docker import Attachment, Health, Mount, Service, host


def build(name: str, parent: pulumi.Resource, args: MtaStsHostArgs) -> pulumi.Output[bool]:
    """Register everything; true once the proxy has the route."""
    on, gateway = host(args.platform, parent), args.gateway.docker
    assert gateway  # the rules ask for it
    uid, gid = (int(part) for part in args.user.split(":"))
    volume = on.volume(f"{name}-config", parent, data=False)
    files = on.files(
        f"{name}-files",
        parent,
        volume=volume,
        files={**server.files(args)},
        image=gateway.tools_image,
        owner=(uid, gid),
        mode=0o444,
    )
    container = on.container(
        name,
        parent,
        Service(
            image=args.image,
            command=server.command(args),
            user=args.user,
            networks=[Attachment(network=gateway.network, aliases=[on.name(name)])],
            memory_mb=args.memory_mb,
            mounts=[Mount(volume=files.volume, path=server.CONFIG, read_only=True)],
            # nginx writes its pid once it listens.
            health=Health(command=["/bin/sh", "-c", "kill -0 $(cat /tmp/nginx.pid)"]),
            stop_signal="SIGQUIT",
            stop_seconds=10,
            # nginx reads its configuration at the start only; the policy at each request.
            labels={"tierstack.dev/configuration": server.digest(args)},
        ),
    )
    proxy_uid, proxy_gid = (int(part) for part in gateway.user.split(":"))
    routed = server.traefik_file(name, args.hostname, gateway.entry_point, f"{on.name(name)}:{args.port}")
    route = on.files(
        f"{name}-route",
        parent,
        volume=gateway.volume,
        files={posixpath.join(gateway.directory, f"{name}.yaml"): routed},
        image=gateway.tools_image,
        owner=(proxy_uid, proxy_gid),
        depends_on=[container],
    )
    return pulumi.Output.all(files.volume, route.volume).apply(lambda _: True)
