"""The addresses to which receivers send reports (RFC 9990 §3, RFC 8460 §3): written as URIs, and judged."""

import re
from urllib.parse import quote, unquote

from tierstack.dns_records.records import hostnames as names
from tierstack.dns_records.records.model import RecordError, absolute
from tierstack.dns_records.records.texts import odd_character, url_parts
from tierstack.dns_records.rules import Slip

_MAILBOX = re.compile(r"^[^@\s\"(),:;<>\[\]\\]{1,64}@[^@\s]+$")
_DOMAIN = re.compile(r"[A-Za-z0-9_.-]+")
_RESERVED = {",": "%2C", "!": "%21", ";": "%3B", "?": "%3F", "&": "%26", "#": "%23"}


def mailbox(address: str) -> str:
    """A bare address as the path of a mailto URI: what would end it early is escaped (RFC 9989 §4.8), and so is what is
    not ASCII."""
    local, at, domain = names.mail_address(address).rpartition("@")
    escaped = "".join(_RESERVED.get(one, one) for one in local.replace("%", "%25"))
    return "".join(one if one.isascii() else quote(one, safe="") for one in escaped) + at + domain


def report_uri_slip(uri: str) -> Slip | None:
    """What is wrong with a mailto: or https: URI, or None."""
    if odd := odd_character(uri):
        plain = names.mail_address(uri)
        fix = f"write `{plain}`" if plain.isascii() else "write it in plain letters, or escape it"
        return Slip(f"`{uri}` holds {odd}, and receivers read ASCII only", fix)
    parts = url_parts(uri)
    if parts.scheme == "https" and parts.netloc:
        return None
    if parts.scheme != "mailto":
        fix = f"write `mailto:{uri}`" if _MAILBOX.match(uri) else "write `mailto:name@example.org`"
        return Slip(f"`{uri}` is not a mailto: or https: address", fix)
    if not is_mailbox(unquote(parts.path)):
        return Slip(f"`{uri}` is not an address", "write `mailto:name@example.org`")
    return None


def is_mailbox(address: str) -> bool:
    """Whether a text is a mail address at a full domain name."""
    if not _MAILBOX.match(address) or not _DOMAIN.fullmatch(address.rpartition("@")[2]):
        return False
    try:
        return "." in absolute(address.rpartition("@")[2] + ".", "invalid.")
    except RecordError:
        return False
