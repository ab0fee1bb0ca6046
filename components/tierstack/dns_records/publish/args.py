"""The arguments that say where the records of a zone are published."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pulumi

from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, declare, rule
from tierstack.core.keys import KUBERNETES_ONLY, within
from tierstack.dns_records.publish.hosts import EXTRAS, installed
from tierstack.dns_records.publish.plan import ALL, Limits
from tierstack.dns_records.records.texts import url_parts
from tierstack.platform import DataProtection

_HOST = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?", re.IGNORECASE)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

declare("publish-choice", "Records must be published at one DNS host.")
declare("publish-package", "The package that speaks to the DNS host must be installed.")
declare("publish-zone", "The zone at the DNS host must hold the domain.", "RFC 1034 §4.2")
declare("publish-adopt", "`publish.adopt` can name record sets of the domain only.")
declare("publish-credential", "Credentials of a DNS host must be whole, without blanks in them.")


class TsigAlgorithm(StrEnum):
    """How a TSIG key signs (RFC 8945 §6). MD5 and SHA-1 are left out: they are not to be used any more."""

    HMAC_SHA256 = "hmac-sha256"
    HMAC_SHA384 = "hmac-sha384"
    HMAC_SHA512 = "hmac-sha512"


@dataclass(kw_only=True)
class Rfc2136Args:
    """A name server that takes dynamic updates (RFC 2136), such as BIND or Knot, with a TSIG key (RFC 8945) that may
    transfer and update the zone."""

    server: str
    """Address or name of the zone's primary server, such as `ns1.example.org`."""
    key_name: str
    """Name of the TSIG key, as the server knows it, such as `tierstack`."""
    key_secret: pulumi.Input[str] = field(metadata={"secret": True})
    """The key itself, base64 as `tsig-keygen` prints it."""
    key_algorithm: TsigAlgorithm = TsigAlgorithm.HMAC_SHA256
    """How the key signs."""
    port: int = field(default=53, metadata=within(1, 65535))
    """TCP port of the server. 1 to 65535."""
    timeout: int = field(default=15, metadata=within(1, 300, "seconds"))
    """Seconds to wait for an answer, 1 to 300."""

    @property
    def address(self) -> str:
        """Server and port in one, an IPv6 address in brackets."""
        host = f"[{self.server}]" if ":" in self.server else self.server
        return f"{host}:{self.port}"

    @rule("name-server", "A name server and its TSIG key must be written as the server has them.", "RFC 2136, RFC 8945")
    def problems(self, path: str) -> list[Diagnostic]:
        """What is wrong with the server or the key."""
        found = [
            Diagnostic(f"{path}.{name}", MISSING, "is empty", "write it, or remove the section")
            for name in ("server", "key_name")
            if not getattr(self, name).strip()
        ]
        if self.server.strip():
            found += self._server_problems(f"{path}.server")
        if isinstance(self.key_secret, str) and not _is_base64(self.key_secret):
            wrong = "is not base64 (RFC 8945)"
            found.append(Diagnostic(f"{path}.key_secret", HIDDEN, wrong, "copy `secret` as `tsig-keygen` prints it"))
        return found

    def _server_problems(self, path: str) -> list[Diagnostic]:
        try:
            ipaddress.ip_address(self.server)
        except ValueError:
            pass
        else:
            return []
        host, colon, port = self.server.rpartition(":")
        if colon and port.isdigit():
            instead = f"write `server: {host.strip('[]')}` and `port: {port}`"
            return [Diagnostic(path, self.server, "has a port, which is an argument of its own", instead)]
        if not _HOST.fullmatch(self.server) or len(self.server) > 253:
            instead = "write a name such as `ns1.example.org`, or an address such as `192.0.2.53`"
            return [Diagnostic(path, self.server, "is not the name or address of a server", instead)]
        return []

    def settings(self) -> dict[str, Any]:
        return {
            "host": self.server,
            "port": self.port,
            "key_name": self.key_name,
            "key_algorithm": str(self.key_algorithm),
            "timeout": self.timeout,
        }

    def credentials(self) -> dict[str, pulumi.Input[str] | None]:
        return {"key_secret": self.key_secret}


@dataclass(kw_only=True)
class PowerDnsArgs:
    """The HTTP API of a PowerDNS Authoritative Server."""

    url: str
    """Address of the API without a path, such as `https://dns.example.org:8081`. Plain http only on this machine,
    because the key would be read along the way."""
    api_key: pulumi.Input[str] = field(metadata={"secret": True})
    """The server's `api-key`."""
    server_id: str = "localhost"
    """The server's id in the API; PowerDNS itself knows only `localhost`."""

    @rule(
        "publish-address",
        "The API of a DNS host must be scheme, host and port, and https unless it is on this machine.",
        wrong="powerdns: {url: http://dns.example.org:8081/api}",
        right="powerdns: {url: https://dns.example.org:8081}",
    )
    def problems(self, path: str) -> list[Diagnostic]:
        """What is wrong with the address."""
        url = url_parts(self.url)
        example = "write it as `https://dns.example.org:8081`"
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.username:
            shown = HIDDEN if "@" in self.url else self.url
            return [Diagnostic(f"{path}.url", shown, "is not the address of an API", example)]
        if url.scheme == "http" and url.hostname not in _LOOPBACK:
            wrong = "would send the key in plaintext over the network"
            return [
                Diagnostic(f"{path}.url", self.url, wrong, "write https, or reach it through a tunnel to localhost")
            ]
        return _blanks(f"{path}.api_key", self.api_key)

    def settings(self) -> dict[str, Any]:
        url = url_parts(self.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        return {"scheme": url.scheme, "host": url.hostname, "port": port, "server_id": self.server_id}

    def credentials(self) -> dict[str, pulumi.Input[str] | None]:
        return {"api_key": self.api_key}


@dataclass(kw_only=True)
class CloudflareArgs:
    """Cloudflare's API."""

    token: pulumi.Input[str] = field(metadata={"secret": True})
    """An API token that may read and edit the DNS of the zone (Zone:Read, DNS:Edit)."""
    account_id: str | None = None
    """The account, where the token sees several that have the zone. None: the only one."""

    def problems(self, path: str) -> list[Diagnostic]:
        """Of a token only its edges can be judged."""
        return _blanks(f"{path}.token", self.token)

    def settings(self) -> dict[str, Any]:
        return {"account_id": self.account_id} if self.account_id else {}

    def credentials(self) -> dict[str, pulumi.Input[str] | None]:
        return {"token": self.token}


@dataclass(kw_only=True)
class Route53Args:
    """AWS Route 53."""

    access_key_id: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Id of an access key. None: what the AWS SDK finds on the machine (environment, profile, role)."""
    secret_access_key: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """The access key's secret. None: as for `access_key_id`."""
    role_arn: str | None = None
    """A role to take on. None: the credentials' own."""

    def problems(self, path: str) -> list[Diagnostic]:
        """A key has two halves."""
        if (self.access_key_id is None) == (self.secret_access_key is None):
            keys = ("access_key_id", "secret_access_key")
            return [one for name in keys for one in _blanks(f"{path}.{name}", getattr(self, name))]
        name = "access_key_id" if self.access_key_id is None else "secret_access_key"
        wrong = "is required together with the other half of the key"
        instead = "give both, or neither to use what the machine has"
        return [Diagnostic(f"{path}.{name}", MISSING, wrong, instead, "publish-credential")]

    def settings(self) -> dict[str, Any]:
        return {"role_arn": self.role_arn} if self.role_arn else {}

    def credentials(self) -> dict[str, pulumi.Input[str] | None]:
        return {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}


@dataclass(kw_only=True)
class ExternalDnsArgs:
    """external-dns in the cluster: the records become a DNSEndpoint, which it publishes with credentials of its own."""

    labels: dict[str, str] | None = None
    """Labels of the DNSEndpoint, where external-dns selects by label. None: those of the platform alone."""

    def problems(self, path: str) -> list[Diagnostic]:
        """Labels are judged by the cluster."""
        return []


def _blanks(path: str, secret: object) -> list[Diagnostic]:
    """A line break or a blank that came along with a pasted secret: an HTTP header cannot hold it."""
    if not isinstance(secret, str) or (secret and not any(char.isspace() for char in secret)):
        return []
    wrong, instead = "is empty or has white space in it", "copy it again, without line breaks"
    return [Diagnostic(path, HIDDEN, wrong, instead, "publish-credential")]


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError):
        return False


Server = Rfc2136Args | PowerDnsArgs | CloudflareArgs | Route53Args


@dataclass(kw_only=True)
class PublishArgs:
    """Where the records are published: one DNS host. A record set of others is never touched unless `adopt` names it.

    Leaving the section out later, or naming another host, leaves the records at the old host as they are.
    """

    rfc2136: Rfc2136Args | None = None
    """One's own name server, by dynamic updates. None: another host."""
    powerdns: PowerDnsArgs | None = None
    """PowerDNS, by its HTTP API. None: another host."""
    cloudflare: CloudflareArgs | None = None
    """Cloudflare. None: another host."""
    route53: Route53Args | None = None
    """AWS Route 53. None: another host."""
    external_dns: ExternalDnsArgs | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: external-dns in the cluster publishes. None: another host."""
    zone: str | None = None
    """The zone at the host that holds the domain: the domain itself, or one above it. None: the domain."""
    adopt: list[str] | None = None
    """Record sets that others made and that are taken over, as the preview names them (`www.example.org A`); `*` for
    all that are among the records. None: such a set is refused."""
    max_delete_percent: int = field(default=30, metadata=within(0, 100, "percent"))
    """The part of the own record sets that one update may delete, in percent, 0 to 100; two sets may always go."""
    allow_ns_changes: bool = False
    """Whether the NS records of the zone itself may change, which can take the whole zone away."""
    data_protection: DataProtection | None = None
    """What happens to the published records when they leave the program or the stack is destroyed. None: `protect`,
    and in a stack of this project as its platform says."""

    def host(self) -> str | None:
        """The name of the one host that is given; None where it is not one."""
        given = [name for name in (*EXTRAS, "external_dns") if getattr(self, name) is not None]
        return given[0] if len(given) == 1 else None

    def problems(self, domain: str, path: str = "publish") -> list[Diagnostic]:
        """Everything that is wrong with where the records go."""
        names = (*EXTRAS, "external_dns")
        given = [name for name in names if getattr(self, name) is not None]
        found: list[Diagnostic] = []
        if len(given) != 1:
            wrong = f"names {len(given)} hosts ({', '.join(given)})" if given else "names no host"
            instead = f"give one of {', '.join(f'`{name}`' for name in names)}"
            found.append(Diagnostic(path, MISSING, wrong, instead, "publish-choice"))
        for name in given:
            found += getattr(self, name).problems(f"{path}.{name}")
            if name in EXTRAS and not installed(name):
                wrong = "needs a package that is not installed"
                instead = f"pip install 'tierstack[{EXTRAS[name]}]'"
                found.append(Diagnostic(f"{path}.{name}", MISSING, wrong, instead, "publish-package"))
        if self.zone is not None and domain != self.zone and not domain.endswith(f".{self.zone}"):
            wrong = f"does not hold {domain}"
            instead = "write the domain itself or one above it, or leave it out"
            found.append(Diagnostic(f"{path}.zone", self.zone, wrong, instead, "publish-zone"))
        for n, key in enumerate(self.adopt or []):
            name, _, kind = key.partition(" ")
            if key != ALL and not (kind.isalnum() and (name == domain or name.endswith(f".{domain}"))):
                wrong = f"is not a record set of {domain}"
                instead = f"write name and type as the preview shows them, such as `www.{domain} A`, or `*`"
                found.append(Diagnostic(f"{path}.adopt[{n}]", key, wrong, instead, "publish-adopt"))
        return found

    def inputs(self, domain: str) -> dict[str, Any]:
        """What the resource holds to publish; nothing for external-dns, which does it itself."""
        host = self.host()
        if host is None or host not in EXTRAS:
            return {}
        server: Server = getattr(self, host)
        credentials = {name: value for name, value in server.credentials().items() if value is not None}
        flags = {name: getattr(self, name) for name in ("adopt", "max_delete_percent", "allow_ns_changes")}
        usual = {"adopt": None, "max_delete_percent": Limits.max_delete_percent, "allow_ns_changes": False}
        return {
            "publish": {"host": host, "zone": self.zone or domain, "settings": server.settings()},
            "credentials": pulumi.Output.secret(credentials),
            # Only what is beyond the ordinary, so that a preview shows it.
            **{name: value for name, value in flags.items() if value != usual[name]},
        }


def limits_of(props: Mapping[str, Any]) -> Limits:
    """The limits in the inputs of the resource."""
    adopt = tuple(str(key) for key in props.get("adopt") or ())
    percent = int(props.get("max_delete_percent", Limits.max_delete_percent))
    return Limits(adopt, percent, bool(props.get("allow_ns_changes")))
