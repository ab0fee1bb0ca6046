"""TLS as a part of stacks."""

from dataclasses import dataclass

from tierstack.core.section import Section
from tierstack.links import Certificate
from tierstack.platform import PlatformKind
from tierstack.tls.args import TLSArgs


@dataclass(kw_only=True)
class TLSKeys:
    """Keys that a stack has in the place of arguments."""

    hostnames: list[str] | None = None
    """The names that the certificate is for. None: the hostnames of `app`, and that of the MTA-STS policy where one is
    served."""


def _placeholder(args: TLSArgs) -> Certificate:
    docker = args.platform.kind is PlatformKind.DOCKER
    return Certificate(
        hostnames=args.hostnames,
        certificate_pem="certificate" if docker else None,
        private_key_pem="key" if docker else None,
        secret_name=None if docker else "certificate",
    )


SECTION = Section(
    key="tls",
    text="The certificate.",
    args=TLSArgs,
    component="tierstack.tls:TLS",
    name="tls",
    wired=("hostnames", "gateway"),
    own=TLSKeys,
    link="certificate",
    placeholder=_placeholder,
    needs=lambda _: ["cert-manager"],
)
