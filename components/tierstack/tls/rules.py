"""The rules of TLS's arguments (pure): each wrong one with what to write instead."""

import dataclasses
import re

from tierstack.core.errors import HIDDEN, MISSING, Problem, out_of_range
from tierstack.core.hostnames import hostname_problems, is_never_public
from tierstack.platform import PlatformKind, name_problems
from tierstack.platform.proxy.acme import possible_percent, renewal
from tierstack.tls.args import LETS_ENCRYPT, ExternalAccountArgs, Issuer, TLSArgs

_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(\.{_ATOM})*@(?P<domain>[A-Za-z0-9.-]+)")
"""RFC 5321 section 4.1.2, without quoted parts and without `?`, which ends the address in a mailto URL."""
_NOBODYS_MAIL = ("example.com", "example.net", "example.org")
"""Domains at which Let's Encrypt takes no address of an account (RFC 2606 section 3)."""
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+=*")
_HTTPS = re.compile(r"https://[^\s/]+(/\S*)?")
_SERVER = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:(?P<port>[0-9]{1,5}))?")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?")

_ONLY_ACME = (
    *("cluster_issuer", "acme_email", "acme_server", "acme_ca", "acme_eab", "acme_dns", "acme_resolvers"),
    *("acme_caa", "acme_lifetime_hours"),
)
_ONLY_GIVEN = ("certificate_pem", "certificate_path", "private_key_pem", "private_key_path")
_OF_ONE_PLATFORM = {
    PlatformKind.DOCKER: ("cluster_issuer",),
    PlatformKind.KUBERNETES: ("acme_resolvers", "acme_lifetime_hours"),
}
"""Keys that mean nothing on a platform."""
_ISSUER_OF_ITS_OWN = ("acme_email", "acme_server", "acme_ca", "acme_eab", "acme_dns")


def problems_of(args: TLSArgs) -> list[Problem]:
    """Everything that is wrong with the arguments."""
    found = args.platform.problems()
    public = args.issuer is Issuer.ACME and args.acme_ca is None
    found += hostname_problems("hostnames", args.hostnames, public=public)
    found += out_of_range("renew_before_percent", args.renew_before_percent, 5, 90, "percent")
    if args.issuer is not Issuer.ACME:
        found += _elsewhere(args, _ONLY_ACME, Issuer.ACME)
    if args.issuer is not Issuer.GIVEN:
        found += _elsewhere(args, _ONLY_GIVEN, Issuer.GIVEN)
    if args.issuer is Issuer.LOCAL_CA:
        return found + _local(args)
    if args.lifetime_days is not None:
        who = "the public CA" if args.issuer is Issuer.ACME else "whoever signed the certificate"
        wrong = f"cannot be chosen: {who} decides it"
        found.append(Problem("lifetime_days", args.lifetime_days, wrong, "remove it"))
    if args.issuer is Issuer.ACME:
        return found + _acme(args)
    from tierstack.tls import given  # what it needs to read certificates takes long to import

    return found + given.problems_of(args)


def _elsewhere(args: TLSArgs, keys: tuple[str, ...], issuer: Issuer) -> list[Problem]:
    wrong = f"means something only with the issuer `{issuer.value}`"
    instead = f"remove it, or write `issuer: {issuer.value}`"
    return [
        Problem(key, _shown(key, value), wrong, instead) for key in keys if (value := getattr(args, key)) is not None
    ]


def _shown(key: str, value: object) -> object:
    if key == "private_key_pem":
        return HIDDEN
    return MISSING if dataclasses.is_dataclass(value) else value


def _local(args: TLSArgs) -> list[Problem]:
    found = out_of_range("lifetime_days", args.lifetime_days, 1, 825, "days")
    found += out_of_range("ca_lifetime_days", args.ca_lifetime_days, 2, 7300, "days")
    if not found and args.ca_lifetime_days < 2 * args.local_lifetime_days:
        wrong = f"is shorter than two lifetimes of a certificate ({args.local_lifetime_days} days each)"
        instead = f"write at least {2 * args.local_lifetime_days}"
        found.append(Problem("ca_lifetime_days", args.ca_lifetime_days, wrong, instead))
    return found


def _acme(args: TLSArgs) -> list[Problem]:
    kind = args.platform.kind
    other = "Docker" if kind is PlatformKind.KUBERNETES else "Kubernetes"
    found = [
        Problem(key, value, f"means something only on {other}", "remove it")
        for key in _OF_ONE_PLATFORM[kind]
        if (value := getattr(args, key)) is not None
    ]
    if args.acme_caa is not None and not _DOMAIN.fullmatch(args.acme_caa):
        wrong = "is not the name of an issuer (RFC 8659 section 4.2)"
        found.append(Problem("acme_caa", args.acme_caa, wrong, "write the CA's domain, such as `letsencrypt.org`"))
    if args.cluster_issuer is not None and kind is PlatformKind.KUBERNETES:
        return found + _cluster_issuer(args, args.cluster_issuer)
    found += _account(args)
    found += _challenge(args)
    return found + (_renewal(args) if kind is PlatformKind.DOCKER else _on_kubernetes(args))


def _cluster_issuer(args: TLSArgs, name: str) -> list[Problem]:
    wrong = "belongs to an issuer of one's own, but `cluster_issuer` names another"
    return name_problems("cluster_issuer", name) + [
        Problem(key, _shown(key, value), wrong, "give one of the two")
        for key in _ISSUER_OF_ITS_OWN
        if (value := getattr(args, key)) is not None
    ]


def _account(args: TLSArgs) -> list[Problem]:
    found: list[Problem] = []
    if args.acme_email is None:
        wrong = "is required with the issuer `acme`"
        kubernetes = args.platform.kind is PlatformKind.KUBERNETES
        instead = "give the address of the account" + (", or `cluster_issuer`" if kubernetes else "")
        found.append(Problem("acme_email", MISSING, wrong, instead))
    else:
        found += _email(args.acme_email, public=args.acme_ca is None)
    if args.acme_server is not None and not _HTTPS.fullmatch(args.acme_server):
        wrong = "is not an https address (RFC 8555 section 6.1)"
        found.append(Problem("acme_server", args.acme_server, wrong, f"write one such as {LETS_ENCRYPT}"))
    if args.acme_ca is not None:
        found += _trusted(args.acme_ca, args.acme_server)
    return found + (_external_account(args.acme_eab) if args.acme_eab is not None else [])


def _email(address: str, *, public: bool) -> list[Problem]:
    """What a CA says of the address of an account. `public`: one that wants an address in the public DNS."""

    def wrong(what: str, instead: str) -> list[Problem]:
        return [Problem("acme_email", address, what, instead)]

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


def _external_account(eab: ExternalAccountArgs) -> list[Problem]:
    found: list[Problem] = []
    if not eab.key_id.strip():
        found.append(Problem("acme_eab.key_id", MISSING, "is empty", "write the id that the CA shows"))
    if isinstance(eab.hmac_key, str) and not _BASE64URL.fullmatch(eab.hmac_key):
        wrong = "is not base64url (RFC 4648 section 5)"
        found.append(Problem("acme_eab.hmac_key", HIDDEN, wrong, "copy the HMAC key as the CA shows it"))
    return found


def _trusted(text: str, server: str | None) -> list[Problem]:
    if server is None:
        wrong = "is the CA of a private server, but Let's Encrypt is asked"
        return [Problem("acme_ca", _first_line(text), wrong, "write `acme_server`, or remove it")]
    from tierstack.tls import pem  # what it needs to read certificates takes long to import

    try:
        pem.certificates(text)
    except pem.PemError as error:
        shown = HIDDEN if "PRIVATE" in text else _first_line(text)
        return [Problem("acme_ca", shown, str(error), error.fix)]
    return []


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _challenge(args: TLSArgs) -> list[Problem]:
    found: list[Problem] = []
    if args.gateway is not None:
        found += name_problems("gateway.name", args.gateway.name)
    elif args.answered_by_gateway:
        wrong = "is required on Kubernetes, where the Gateway's port 80 answers the challenges of HTTP-01"
        found.append(
            Problem("gateway", MISSING, wrong, 'give `GatewayIdentity(name="…")` of the Gateway, or `acme_dns`')
        )
    if args.acme_dns is not None:
        return found + args.acme_dns.problems("acme_dns") + _resolvers(args.acme_resolvers)
    if args.acme_resolvers is not None:
        wrong = "are asked for the records of DNS-01, and names are proved by HTTP-01"
        found.append(Problem("acme_resolvers", args.acme_resolvers, wrong, "write `acme_dns`, or remove it"))
    instead = "name each host, or give `acme_dns`"
    if args.platform.kind is PlatformKind.KUBERNETES:
        instead += " or a `cluster_issuer` that uses DNS-01"
    wrong = "is a wildcard, which HTTP-01 cannot prove (RFC 8555 section 8.3)"
    return found + [
        Problem(f"hostnames[{index}]", name, wrong, instead)
        for index, name in enumerate(args.hostnames)
        if name.startswith("*.")
    ]


def _resolvers(values: list[str] | None) -> list[Problem]:
    if values == []:
        return [Problem("acme_resolvers", [], "is empty", "write a name server, or leave it out")]
    instead = "write it as `192.0.2.53` or `192.0.2.53:53`"
    return [
        Problem(f"acme_resolvers[{index}]", value, "is not a name server", instead)
        for index, value in enumerate(values or [])
        if not (parts := _SERVER.fullmatch(value)) or not 1 <= int(parts["port"] or 53) <= 65535
    ]


def _renewal(args: TLSArgs) -> list[Problem]:
    """Docker: whether Traefik can renew as early as it is asked to."""
    found = out_of_range("acme_lifetime_hours", args.acme_lifetime_hours, 1, 4800, "hours")
    percent = args.renew_before_percent
    if found or not 5 <= percent <= 90 or renewal(args.acme_lifetime, percent) is not None:
        return found
    most = max(possible_percent(args.acme_lifetime))
    wrong = f"is more than Traefik keeps for certificates of {args.acme_lifetime} hours: it has fixed times of renewal"
    instead = f"write at most {most}, or a longer `acme_lifetime_hours` if the CA's certificates last longer"
    return [Problem("renew_before_percent", percent, wrong, instead)]


def _on_kubernetes(args: TLSArgs) -> list[Problem]:
    found: list[Problem] = []
    if args.acme_dns is not None and args.acme_dns.key_algorithm not in ("hmac-sha256", "hmac-sha512"):
        wrong, instead = "is unknown to cert-manager", "write `hmac-sha256` or `hmac-sha512`"
        found.append(Problem("acme_dns.key_algorithm", args.acme_dns.key_algorithm.value, wrong, instead))
    if args.platform.renders and not args.platform.secret_store:
        wrong = "would stand in clear in rendered files"
        instead = "write `platform.secret_store`, and put the secret into that store"
        secrets = {
            "acme_dns.key_secret": args.acme_dns is not None,
            "acme_eab.hmac_key": args.acme_eab is not None,
        }
        found += [Problem(path, HIDDEN, wrong, instead) for path, there in secrets.items() if there]
    return found
