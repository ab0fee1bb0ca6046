"""The rules of TLS's arguments (pure): each wrong one with what to write. Those of a certificate that is given stand in
`given.py`."""

import re
from collections.abc import Mapping, Sequence

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, rule
from tierstack.core.hostnames import is_never_public
from tierstack.core.keys import given_elsewhere
from tierstack.links import GatewayIdentity
from tierstack.platform import Platform, PlatformKind, name_problems
from tierstack.platform.proxy.acme import possible_percent, renewal
from tierstack.tls.options import LETS_ENCRYPT, ACMEArgs, ExternalAccountArgs, LocalCAArgs

_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(\.{_ATOM})*@(?P<domain>[A-Za-z0-9.-]+)")
"""RFC 5321 section 4.1.2, without quoted parts and without `?`, which ends the address in a mailto URL."""
_NOBODYS_MAIL = ("example.com", "example.net", "example.org")
"""Domains at which Let's Encrypt takes no address of an account (RFC 2606 section 3)."""
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+=*")
_HTTPS = re.compile(r"https://[^\s/]+(/\S*)?")
_SERVER = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:(?P<port>[0-9]{1,5}))?")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@rule(
    "issuer-twice",
    "Only one of `local_ca`, `acme`, `cluster_issuer` and `given` can sign.",
    wrong="tls: {local_ca: {}, cluster_issuer: letsencrypt}",
    right="tls: {local_ca: {}}",
)
def one_issuer(choices: Mapping[str, object]) -> list[Diagnostic]:
    """At most one of the arguments that say who signs."""
    first, *more = [name for name, value in choices.items() if value is not None] or [""]
    return [Diagnostic(name, MISSING, f"is given beside `{first}`", "give one of the two") for name in more]


@rule(
    "local-ca-lifetime",
    "A local CA must outlive two certificates, which live for at most 825 days.",
    why="Apple's systems refuse longer ones, and a certificate must not outlive its CA.",
    wrong="tls: {local_ca: {lifetime_days: 400, ca_lifetime_days: 500}}",
    right="tls: {local_ca: {lifetime_days: 400, ca_lifetime_days: 800}}",
)
def of_local_ca(ca: LocalCAArgs) -> list[Diagnostic]:
    """The lifetimes of a local CA."""
    if ca.ca_lifetime_days >= 2 * ca.lifetime_days:
        return []
    wrong = f"is shorter than two lifetimes of a certificate ({ca.lifetime_days} days each)"
    instead = f"write at least {2 * ca.lifetime_days}"
    return [Diagnostic("local_ca.ca_lifetime_days", ca.ca_lifetime_days, wrong, instead)]


@rule("wrong-platform")
def of_cluster_issuer(name: str, kind: PlatformKind) -> list[Diagnostic]:
    """Whether there can be a ClusterIssuer, and one of this name."""
    if kind is PlatformKind.DOCKER:
        return [Diagnostic("cluster_issuer", name, "means something only on Kubernetes", "remove it")]
    return name_problems("cluster_issuer", name)


def of_acme(
    acme: ACMEArgs,
    platform: Platform,
    hostnames: Sequence[str],
    gateway: GatewayIdentity | None,
    renew_before_percent: int,
) -> list[Diagnostic]:
    """Everything that is wrong with `acme`, and with how it fits the other arguments."""
    found = _email(acme.email, public=acme.ca is None) + _server(acme.server)
    if acme.ca is not None:
        found += _trusted(acme.ca, acme.server)
    if acme.eab is not None:
        found += _external_account(acme.eab)
    found += _answered(acme, platform.kind, gateway)
    found += acme.dns.problems("acme.dns") if acme.dns is not None else _wildcards(hostnames, platform.kind)
    found += _resolvers(acme) + _caa(acme.caa)
    if platform.kind is PlatformKind.DOCKER:
        return found + _renewal(acme, renew_before_percent)
    return found + _only_docker(acme) + _key_algorithm(acme) + _rendered(platform, acme)


@rule("acme-server", "The directory of an ACME server must be an https address.", "RFC 8555 §6.1")
def _server(url: str) -> list[Diagnostic]:
    if _HTTPS.fullmatch(url):
        return []
    wrong = "is not an https address (RFC 8555 section 6.1)"
    return [Diagnostic("acme.server", url, wrong, f"write one such as {LETS_ENCRYPT}")]


@rule("acme-caa", "The name of the CA in CAA records must be known, and a domain.", "RFC 8659 §4.2")
def _caa(name: str | None) -> list[Diagnostic]:
    if name is None or _DOMAIN.fullmatch(name):
        return []
    wrong = "is not the name of an issuer (RFC 8659 section 4.2)"
    return [Diagnostic("acme.caa", name, wrong, "write the CA's domain, such as `letsencrypt.org`")]


@rule(
    "acme-email",
    "The address of an ACME account must be one that the CA accepts.",
    "RFC 8555 §7.3",
    wrong="acme: {email: ops@example.org}",
    right="acme: {email: ops@your-domain}",
)
def _email(address: str, *, public: bool) -> list[Diagnostic]:
    """What a CA says of the address of an account. `public`: one that wants an address in the public DNS."""

    def wrong(what: str, instead: str) -> list[Diagnostic]:
        return [Diagnostic("acme.email", address, what, instead)]

    if address.lower().startswith("mailto:"):
        return wrong("is a URL", f"write the address alone, `{address[len('mailto:') :]}`")
    parts = _EMAIL.fullmatch(address)
    domain = parts["domain"].lower() if parts else ""
    if not parts or not _DOMAIN.fullmatch(domain):
        return wrong("is not one mail address in ASCII", "write one, such as `ops@` and your own domain")
    if public and domain in _NOBODYS_MAIL:
        return wrong(f"is at {domain}, where nobody reads mail, and Let's Encrypt refuses it", "write your own address")
    if public and is_never_public(domain):
        return wrong("is at a domain that the public DNS does not have, and public CAs refuse it", "write a public one")
    return []


@rule("acme-external-account", "An external account needs the id and the key that the CA shows.", "RFC 8555 §7.3.4")
def _external_account(eab: ExternalAccountArgs) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if not eab.key_id.strip():
        found.append(Diagnostic("acme.eab.key_id", MISSING, "is empty", "write the id that the CA shows"))
    if isinstance(eab.hmac_key, str) and not _BASE64URL.fullmatch(eab.hmac_key):
        wrong = "is not base64url (RFC 4648 section 5)"
        found.append(Diagnostic("acme.eab.hmac_key", HIDDEN, wrong, "copy the HMAC key as the CA shows it"))
    return found


@rule("acme-ca", "`acme.ca` must be certificates of a private CA in PEM.", "RFC 7468 §5")
def _trusted(text: str, server: str) -> list[Diagnostic]:
    if server == LETS_ENCRYPT:
        wrong = "is the CA of a private server, but Let's Encrypt is asked"
        return [Diagnostic("acme.ca", _first_line(text), wrong, "write `acme.server`, or remove it")]
    from tierstack.tls import pem  # what it needs to read certificates takes long to import

    try:
        pem.certificates(text)
    except pem.PemError as error:
        shown = HIDDEN if "PRIVATE" in text else _first_line(text)
        return [Diagnostic("acme.ca", shown, str(error), error.fix)]
    return []


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


@rule("acme-gateway", "HTTP-01 on Kubernetes needs the Gateway that answers its challenges.", "RFC 8555 §8.3")
def _answered(acme: ACMEArgs, kind: PlatformKind, gateway: GatewayIdentity | None) -> list[Diagnostic]:
    """Who answers the challenges of HTTP-01."""
    if gateway is not None:
        return name_problems("gateway.name", gateway.name)
    if not acme.answered_by_gateway(kind):
        return []
    wrong = "is required on Kubernetes, where the Gateway's port 80 answers the challenges of HTTP-01"
    return [Diagnostic("gateway", MISSING, wrong, 'give `GatewayIdentity(name="…")` of the Gateway, or `acme.dns`')]


@rule(
    "http-01-wildcard",
    "Wildcards must be proved by DNS-01.",
    "RFC 8555 §8.3",
    wrong='hostnames: ["*.example.org"], acme: {email: …}',
    right='hostnames: ["*.example.org"], acme: {email: …, dns: {…}}',
)
def _wildcards(hostnames: Sequence[str], kind: PlatformKind) -> list[Diagnostic]:
    instead = "name each host, or give `acme.dns`"
    if kind is PlatformKind.KUBERNETES:
        instead += " or, instead of `acme`, a `cluster_issuer` that uses DNS-01"
    wrong = "is a wildcard, which HTTP-01 cannot prove (RFC 8555 section 8.3)"
    return [
        Diagnostic(f"hostnames[{index}]", name, wrong, instead)
        for index, name in enumerate(hostnames)
        if name.startswith("*.")
    ]


@rule("acme-resolvers", "`acme.resolvers` must be name servers, and needs `acme.dns`.")
def _resolvers(acme: ACMEArgs) -> list[Diagnostic]:
    if acme.resolvers is None:
        return []
    if acme.dns is None:
        wrong = "are asked for the records of DNS-01, and names are proved by HTTP-01"
        return [Diagnostic("acme.resolvers", acme.resolvers, wrong, "write `acme.dns`, or remove it")]
    if not acme.resolvers:
        return [Diagnostic("acme.resolvers", [], "is empty", "write a name server, or leave it out")]
    instead = "write it as `192.0.2.53` or `192.0.2.53:53`"
    return [
        Diagnostic(f"acme.resolvers[{index}]", value, "is not a name server", instead)
        for index, value in enumerate(acme.resolvers)
        if not (parts := _SERVER.fullmatch(value)) or not 1 <= int(parts["port"] or 53) <= 65535
    ]


@rule(
    "acme-renewal", "Traefik must be able to renew as early as it is asked to.", "Traefik: ACME, certificatesDuration"
)
def _renewal(acme: ACMEArgs, percent: int) -> list[Diagnostic]:
    """Docker: whether Traefik can renew as early as it is asked to."""
    hours = acme.expected_hours
    if bound_problems(acme) or not 5 <= percent <= 90 or renewal(hours, percent) is not None:
        return []
    wrong = f"is more than Traefik keeps for certificates of {hours} hours: it has fixed times of renewal"
    most = max(possible_percent(hours))
    instead = f"write at most {most}, or a longer `acme.lifetime_hours` if the CA's certificates last longer"
    return [Diagnostic("renew_before_percent", percent, wrong, instead)]


@rule("wrong-platform")
def _only_docker(acme: ACMEArgs) -> list[Diagnostic]:
    return [
        Diagnostic(f"acme.{key}", value, "means something only on Docker", "remove it")
        for key, value in given_elsewhere(acme, PlatformKind.KUBERNETES.value).items()
    ]


@rule("acme-key-algorithm", "The TSIG key needs an algorithm that cert-manager knows.", "cert-manager: RFC2136")
def _key_algorithm(acme: ACMEArgs) -> list[Diagnostic]:
    if acme.dns is None or acme.dns.key_algorithm in ("hmac-sha256", "hmac-sha512"):
        return []
    wrong, instead = "is unknown to cert-manager", "write `hmac-sha256` or `hmac-sha512`"
    return [Diagnostic("acme.dns.key_algorithm", acme.dns.key_algorithm.value, wrong, instead)]


@rule("plaintext-secret")
def _rendered(platform: Platform, acme: ACMEArgs) -> list[Diagnostic]:
    if not platform.renders or platform.secret_store:
        return []
    wrong = "would be in plaintext in rendered files"
    instead = "write `platform.secret_store`, and put the secret into that store"
    secrets = {"acme.dns.key_secret": acme.dns, "acme.eab.hmac_key": acme.eab}
    return [Diagnostic(path, HIDDEN, wrong, instead) for path, given in secrets.items() if given is not None]
