"""Which names a certificate can be for."""

import ipaddress
import re
from collections.abc import Sequence

from tierstack.core.errors import Diagnostic, rule

MOST = 100
"""Names that one certificate can have (Let's Encrypt, "Rate limits")."""
NEVER_PUBLIC = frozenset(
    {
        *("alt", "internal", "invalid", "local", "localhost", "onion", "test"),  # RFC 6761, 6762, 7686, 9476, ICANN
        *("corp", "home", "mail"),  # ICANN delegates them to nobody (board resolution 2018.02.04.12)
        *("intranet", "lan", "private", "localdomain"),  # RFC 6762 appendix G, and what routers and systems write
    }
)
"""Top-level names that no public DNS answers for, so that no public CA can check them by HTTP or DNS. `.example` is
reserved too, but is what examples are written with."""
_NEVER_PUBLIC_BELOW = ("home.arpa", "in-addr.arpa", "ip6.arpa")
"""The same for names below these (RFC 8375, and CA/Browser Forum Baseline Requirements section 7.1.2.7.12)."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_QUOTES = re.compile("[\"'\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]")  # also those that word processors put there
_HOST_OF = re.compile(r"[^:/]*://(?:[^/?#@]*@)?([^:/?#@]+)")


@rule(
    "hostname",
    "The names of a certificate must be host names in lower case, each once, at most 100.",
    "RFC 1123 §2.1, RFC 6125 §6.4.3",
    wrong="hostnames: [https://shop.example.org/]",
    right="hostnames: [shop.example.org]",
)
def hostname_problems(path: str, names: Sequence[str], *, public: bool) -> list[Diagnostic]:
    """What is wrong with the names of a certificate; `public`: a public CA must be able to check them.

    Rules: RFC 1123 section 2.1 and RFC 1035 section 2.3.4 for names, RFC 6125 section 6.4.3 for wildcards, CA/Browser
    Forum Baseline Requirements section 7.1.2.7.12 for what a public CA may sign.
    """
    if not names:
        return [Diagnostic(path, list(names), "is empty", "write at least one hostname, such as `shop.example.org`")]
    found: list[Diagnostic] = []
    if len(names) > MOST:
        found.append(
            Diagnostic(path, f"{len(names)} names", f"are more than the {MOST} of one certificate", "use a second one")
        )
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        here = f"{path}[{index}]"
        wrong = _syntax(here, name) or (_public(here, name) if public else [])
        if not wrong and name in seen:
            wrong = [Diagnostic(here, name, f"is there already, as {path}[{seen[name]}]", "remove one of them")]
        found += wrong
        seen.setdefault(name, index)
    return found


def _syntax(path: str, name: str) -> list[Diagnostic]:
    def wrong(what: str, instead: str) -> list[Diagnostic]:
        return [Diagnostic(path, name, what, instead)]

    if not name:
        return wrong("is empty", "write a hostname, such as `shop.example.org`")
    if "://" in name:
        host = _HOST_OF.match(name)
        return wrong("is an address of the web", f"write only its host{f', `{host[1]}`' if host else ''}")
    if is_ip(name.strip("[]")):
        return wrong("is an IP address", "write a hostname; for one's own machine, `localhost`")
    bare = _QUOTES.sub("", name)
    if bare != name:
        return wrong("has quotation marks", f"write `{bare or 'shop.example.org'}`")
    host, colon, port = name.partition(":")
    if colon and port.strip("/").isdigit():
        return wrong("has a port", f"write only the host, `{host}`")
    if "/" in name:
        return wrong("has a path", f"write only the host, `{name.partition('/')[0]}`")
    if not name.isascii():
        return wrong("is not ASCII", "write its A-label (RFC 5890), which starts with `xn--`")
    if name != name.lower():
        return wrong("has capital letters", f"write `{name.lower()}`")
    if name.endswith("."):
        return wrong("ends with a dot", f"write `{name.rstrip('.')}`")
    if len(name) > 253:
        return wrong(f"has {len(name)} characters", "write at most 253 (RFC 1035 section 2.3.4)")
    first, *rest = name.split(".")
    if "*" in name:
        if first != "*" or "*" in "".join(rest):
            return wrong("has a `*` that is not the whole first label", "write it as in `*.example.org`")
        if len(rest) < 2:
            return wrong("is a wildcard of a whole top-level domain", "write it as in `*.example.org`")
    for label in rest if first == "*" else [first, *rest]:
        if len(label) > 63:
            return wrong(f"has a label of {len(label)} characters", "write labels of at most 63")
        if not _LABEL.fullmatch(label):
            shown = f"the label `{label}`" if label else "an empty label"
            hyphens = name.replace("_", "-")
            better = f"write `{hyphens}`" if hyphens != name and not _syntax(path, hyphens) else "correct it"
            return wrong(f"has {shown}, which is not letters, digits and inner hyphens (RFC 1123)", better)
    return []


def is_never_public(name: str) -> bool:
    """Whether the public DNS has no such name."""
    below = any(name == suffix or name.endswith(f".{suffix}") for suffix in _NEVER_PUBLIC_BELOW)
    return "." not in name or name.rsplit(".", 1)[-1] in NEVER_PUBLIC or below


@rule(
    "hostname-not-public",
    "A public CA signs only names that the public DNS has.",
    "CA/Browser Forum Baseline Requirements §7.1.2.7.12",
    wrong="hostnames: [shop.internal]",
    right="hostnames: [shop.example.org]",
)
def _public(path: str, name: str) -> list[Diagnostic]:
    if not is_never_public(name):
        return []
    wrong = "is not a name of the public DNS, so that no public CA can check it"
    return [Diagnostic(path, name, wrong, "write a public name, or use `local_ca`")]


def is_ip(text: str) -> bool:
    """Whether it is an IP address, without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def covers(pattern: str, name: str) -> bool:
    """Whether a certificate's name covers a host name (RFC 6125 section 6.4.3: `*` is one whole label)."""
    if pattern.startswith("*."):
        return "." in name and name.partition(".")[2] == pattern[2:]
    return pattern == name


@rule(
    "hostname-uncovered",
    "The certificate must have every hostname of the applications.",
    "RFC 6125 §6.4",
    wrong="app: {hostnames: [shop.example.org]}, tls: {hostnames: [www.example.org]}",
    right="app: {hostnames: [shop.example.org]}",
)
def uncovered_problems(path: str, names: Sequence[str], certificate: Sequence[str] | None) -> list[Diagnostic]:
    """The names that a certificate lacks; none where its names are not known."""
    wrong = "is not a name of the Gateway's certificate, so browsers would refuse it"
    return [
        Diagnostic(f"{path}[{index}]", name, wrong, "add it to the `hostnames` of the TLS component, or remove it")
        for index, name in enumerate(names)
        if certificate is not None and not any(covers(pattern, name) for pattern in certificate)
    ]
