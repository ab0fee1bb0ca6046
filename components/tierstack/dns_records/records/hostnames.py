"""Names as a user writes them in arguments (pure). An argument knows which domain it belongs to, a zone file does not:
what can only mean one name is taken, and what could mean two is refused."""

import ipaddress
import re
from dataclasses import dataclass

from tierstack.dns_records.records.model import RecordError, absolute, is_below

TARGET_FIELDS = {"CNAME": 0, "DNAME": 0, "NS": 0, "PTR": 0, "MX": 1, "HTTPS": 1, "SVCB": 1, "SRV": 3}
"""Where the target stands in a value of each type that has one (RFC 1035 §3.3, RFC 2782, RFC 9460)."""

_TOP_LABEL = re.compile(r"^(?:[a-z]{2,}|xn--[a-z0-9-]+)$")
_LABELS = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A host that a record leads to."""

    name: str
    """Absolute, lower case, without the final dot; empty for `.`."""
    assumed: bool = False
    """Whether it has several labels and no final dot, so that it is a name of this zone only if the zone has it."""


def owner(name: str, domain: str) -> str:
    """The absolute name of a record whose owner is given as `www`, `@`, `www.example.org.` or `www.example.org`.

    A name that ends with the domain is absolute, with or without its final dot: vendors show it so, and nobody means
    `www.example.org.example.org`. Raises RecordError.
    """
    full = _with_dot(name)
    if full is not None and (full == domain or is_below(full, domain)):
        return full
    return absolute(name, domain)


def target(text: str, domain: str) -> Target:
    """The host that `text` names: `@`, one label below the domain, or an absolute name.

    Raises RecordError where it is an IP address, a URL, has a port, or is no host name.
    """
    if text in ("@", "."):
        return Target(domain if text == "@" else "")
    _check_host(text)
    if text.endswith("."):
        return Target(absolute(text, domain))
    found = Target(owner(text, domain), assumed="." in text)
    return Target(found.name) if _with_dot(text) == found.name else found


def host(text: str) -> str:
    """The absolute name of a host of somebody else, which vendors show without its final dot. Raises RecordError."""
    _check_host(text)
    try:
        name = absolute(text.rstrip(".") + ".", "invalid.")
    except RecordError as problem:
        raise RecordError(str(problem).replace(f"{text.rstrip('.')}.`", f"{text}`")) from None
    if "." not in name:
        raise RecordError(f"`{text}` is one label, and a host of another domain has two or more", "copy it whole")
    return name


def mail_address(text: str) -> str:
    """A mail address, or the mailto URL of one, with the domain as A-labels: records of policies are ASCII (RFC 9989
    §4.8, RFC 8460 §3)."""
    local, at, domain = text.rpartition("@")
    domain, mark, size_limit = domain.partition("!")  # `a@example.org!10m`, RFC 9990 §3
    full = None if domain.isascii() or not at else _with_dot(domain)
    return f"{local}@{full}{mark}{size_limit}" if full else text


def ambiguous(written: str, domain: str) -> RecordError:
    """What to say of an assumed target that the zone does not have."""
    message = f"`{written}` has no final dot, so it is `{written}.{domain}`, which this zone does not have"
    return RecordError(message, f"write `{written}.` with a final dot")


def _with_dot(name: str) -> str | None:
    """`name` as an absolute name, or None where it cannot be one."""
    try:
        return absolute(name.rstrip(".") + ".", "invalid.") if name.strip(".") else None
    except RecordError:
        return None


def _check_host(text: str) -> None:
    plain = text.strip("[]")
    if "://" in text:
        shown = text.split("://", 1)[1].split("/", 1)[0]
        raise RecordError(f"`{text}` is a URL, and a host name belongs here", f"write `{shown}.`")
    if ip_version(plain) is not None:
        raise RecordError(f"`{text}` is an IP address, and a host name belongs here", "give the host a name")
    head, colon, port = plain.rpartition(":")
    if colon and (port.isdigit() or ip_version(head) is not None):
        raise RecordError(f"`{text}` has a port, and DNS has none here", f"write `{head}.`")
    name = _with_dot(text)  # None: a label that is empty or too long, which dnspython says better
    if name is not None and not _LABELS.fullmatch(name):
        raise RecordError(f"`{text}` is not a host name", "write a name such as `lb.example.net.`")


def ip_version(text: str) -> int | None:
    """4 or 6 where `text` is an IP address, with or without a final dot; else None."""
    try:
        return ipaddress.ip_address(text.rstrip(".")).version
    except ValueError:
        return None


def is_address(name: str) -> bool:
    """Whether an address stands where a name belongs."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def no_host(target: str, domain: str) -> tuple[str, str] | None:
    """What is wrong with a target that is no name of a host, and what to write; None where it may be one. In a zone
    file it may have got the domain at its end."""
    plain = target.replace("\\", "")
    written = plain.removesuffix(f".{domain}")
    scheme, mark, rest = plain.partition("://")
    if mark and scheme.isalpha():
        name = rest.partition("/")[0]
        inside = name.removesuffix(f".{domain}")
        meant = inside if "." in inside else name  # of `https://mail` the domain is a part, too
        shown = written if "." in written else plain
        return f"`{shown}` is a URL, and a host name belongs here", f"write `{meant.rstrip('.')}.`"
    if "@" in written:
        return f"`{written}` is a mail address, and a host name belongs here", "write the name of the server"
    head, colon, port = written.rpartition(":")
    if colon and port.isdigit() and not is_address(written):
        meant = f"{head.rstrip('.')}." if "." in head else head
        return f"`{written}` has a port, and DNS has none here", f"write `{meant}`"
    return None


def remedy(target: str, domain: str, otherwise: str) -> str:
    """What to do about a name in the zone that does not exist: it may lack its final dot, or be an address."""
    inside = target.removesuffix(f".{domain}")
    if inside != target and is_address(inside):
        return "a name belongs here: give the server a name, or use an A record"
    if inside != target and "." in inside and _TOP_LABEL.match(inside.rpartition(".")[2]):
        return f"end the name with a dot: `{inside}.`; or, if it is one of this zone, {otherwise}"
    return otherwise
