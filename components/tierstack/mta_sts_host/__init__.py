"""MtaStsHost: serves the MTA-STS policy of a mail domain behind the Gateway."""

import pulumi

from tierstack.mta_sts_host import docker, kubernetes
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule

__all__ = ["MtaStsHost", "MtaStsHostArgs"]


class MtaStsHost(Component):
    """`https://mta-sts.<domain>/.well-known/mta-sts.txt`, where senders look for the policy (RFC 8461 §3.3).

    Make it before DNSRecords (`depends_on`), so that the record never announces a policy that is not served yet.
    """

    names = NameRule(docker=63, kubernetes=63, prefixed=True, service=True)

    url: pulumi.Output[str]
    """Where the policy is served, known once it is."""

    def __init__(self, name: str, args: MtaStsHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of `args`; nothing is registered then."""
        args = self.begin(name, args, MtaStsHostArgs, opts)
        if not args.covered:
            wrong = f"the Gateway's certificate does not have {args.hostname}, so senders see no policy (RFC 8461 §3.3)"
            pulumi.log.warn(f'MtaStsHost "{name}": {wrong}; add it to the `hostnames` of the TLS component', self)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        served = build(self.physical_name, self, args)
        self.finish({"url": served.apply(lambda _: args.url)})
