"""Texts that are right and stand at a name where nobody reads them."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import bimi, tags, tls_rpt
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.records.model import RecordSet, host, relative
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare(
    "bimi-misplaced",
    "BIMI stands at `SELECTOR._bimi`.",
    "draft-brand-indicators-for-message-identification §4.2",
    ERROR,
)
declare("dkim-misplaced", "DKIM keys stand at `SELECTOR._domainkey`.", "RFC 6376 §3.6.2.1", ERROR, WARNING)
declare("dmarc-misplaced", "DMARC stands at `_dmarc`.", "RFC 9989 §4.7", ERROR, WARNING)
declare("sts-misplaced", "MTA-STS stands at `_mta-sts`.", "RFC 8461 §3.1", ERROR)
declare("tlsrpt-misplaced", "TLS-RPT stands at `_smtp._tls`.", "RFC 8460 §3", ERROR)


@dataclass(frozen=True)
class _Kind:
    """A text that is read at one name only."""

    code: str
    what: str
    reads: Callable[[str], bool]
    label: str
    """The labels below which receivers look for it."""
    slips: frozenset[str]
    """Letters and digits of labels that are a slip in `label`."""


_KINDS = (
    _Kind(
        "sts-misplaced",
        "an MTA-STS record",
        mta_sts.is_sts,
        "_mta-sts",
        frozenset({"mtasts", "mtast", "mtassts"}),
    ),
    _Kind(
        "tlsrpt-misplaced",
        "a TLS-RPT record",
        tls_rpt.is_tls_rpt,
        "_smtp._tls",
        frozenset({"smtptls", "tlssmtp", "tls", "tlsrpt", "smtp"}),
    ),
    _Kind(
        "bimi-misplaced",
        "a BIMI record",
        bimi.is_bimi,
        "default._bimi",
        frozenset({"bimi", "defaultbimi"}),
    ),
)


def alias_targets(sets: Iterable[RecordSet]) -> frozenset[str]:
    """The names to which the aliases of policies and keys lead: what stands there is read under another name. That of a
    web host, which has no label with `_`, is none of them."""
    aliases = (
        one for one in sets if one.type == "CNAME" and any(label[:1] in ("_", "*") for label in one.name.split("."))
    )
    return frozenset(host(value) for one in aliases for value in one.values)


def check(one: RecordSet, names: Names, targets: Collection[str]) -> list[Diagnostic]:
    """What stands at the wrong name in a TXT set. A wildcard answers for the right names too, and an alias leads from
    them."""
    if one.name.startswith("*.") or one.name in targets:
        return []
    found: list[Diagnostic] = []
    for value in one.values:
        found += [
            _finding(one, names, kind) for kind in _KINDS if kind.reads(value) and _slipped(one.name, names, kind)
        ]
        if dmarc.is_dmarc(value) and "_dmarc" not in one.name.split("."):
            found.append(_dmarc(one, names))
        found += _key(one, names) if _is_key(value) else []
    return found


def _slipped(name: str, names: Names, kind: _Kind) -> bool:
    if f".{kind.label.rpartition('.')[2]}." in f".{name}." and name.startswith(kind.label.partition(".")[0]):
        return False
    if kind.label == "default._bimi" and "._bimi." in name:
        return False
    labels = relative(name, names.domain).split(".")
    letters = ["".join(filter(str.isalnum, "".join(labels[:count]))) for count in (1, 2)]
    return name == names.domain or any(one in kind.slips for one in letters)


def _finding(one: RecordSet, names: Names, kind: _Kind) -> Diagnostic:
    message = f"{kind.what} stands here, and nobody reads it but at `{kind.label}`"
    return error(kind.code, one.key, message, f"move it to `{kind.label}.{names.domain}`")


def _dmarc(one: RecordSet, names: Names) -> Diagnostic:
    message = "a DMARC policy stands here, and receivers look for it below `_dmarc`"
    # Beside a policy in the right place one more does no harm; other domains may have aliases that lead here.
    harmless = one.name != names.domain and not names.answer(f"_dmarc.{names.domain}", "TXT").absent
    say = warning if harmless else error
    return say("dmarc-misplaced", one.key, message, f"move it to `_dmarc.{one.name}`")


def _is_key(text: str) -> bool:
    parsed = tags.parse(text)
    return parsed.get("v") == "DKIM1" and parsed.get("p") is not None


def _key(one: RecordSet, names: Names) -> list[Diagnostic]:
    """What is wrong with the name of a DKIM key, where that is certain or likely."""
    labels = relative(one.name, names.domain).split(".")
    fix = "write it as `<selector>._domainkey`, with the selector of the signer"
    message, say = "a DKIM key stands here, and verifiers look for it below `_domainkey`", error
    all_labels = one.name.split(".")
    if all_labels[0] == "_domainkey" or (one.name == names.domain and "_domainkey" not in all_labels):
        message = "a DKIM key stands here, without a selector"
    elif "_domainkey" in all_labels:
        return []
    elif not any(label.strip("_").replace("-", "") in ("domainkey", "domainkeys") for label in labels):
        if len(labels) > 1 or "dkim" in labels[0]:
            return []  # providers hold keys at names of their own, to which aliases of their customers lead
        say = warning
    return [say("dkim-misplaced", one.key, message, fix)]
