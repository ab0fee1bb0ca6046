"""How DKIM keys of one's own change without a moment in which signatures fail (pure).

A key is published in one update, signs from a later one, is withdrawn in one after that, and then leaves. What an
update must not do depends on the one before, so the rules take both (`steps`); `check` judges one description.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.options import DkimAlgorithm, DkimKeyArgs, OwnMailServerArgs
from tierstack.dns_records.rules import ERROR, declare, error, warning

declare(
    "dkim-signer",
    "Mail is signed by a selector whose key is published.",
    "RFC 6376 §6.1.2; RFC 9989 §5.1",
    ERROR,
    ignorable=False,
)
declare("dkim-two-keys", "A DKIM selector is given one source of its key.", "RFC 6376 §3.6.2.2", ERROR, ignorable=False)

KNOWN_EVERYWHERE = timedelta(hours=3)
"""How long a new key is published before it signs: for so long a resolver may hold that it does not exist (RFC 2308
§5 advises one to three hours)."""
DELIVERED = timedelta(days=5)
"""How long the key of the last signature stays: for so long senders try to deliver a mail (RFC 5321 §4.5.4.1)."""
WITHDRAWN = "withdrawn"
COMPROMISED = "compromised"


@dataclass(frozen=True)
class Keys:
    """The DKIM keys of a domain during one update."""

    published: Mapping[str, str]
    """Selector → what identifies its key: `generated rsa`, a digest of a given one, a target, or WITHDRAWN or
    COMPROMISED."""
    signing: Sequence[str]
    """The selectors that sign from this update on."""
    since: Mapping[str, str] = field(default_factory=dict[str, str])
    """Selector → when its key was first published (ISO 8601)."""
    signed: Mapping[str, str] = field(default_factory=dict[str, str])
    """The selectors that have signed and were not withdrawn since → when they stopped; empty while they sign."""

    @property
    def gone(self) -> set[str]:
        """The selectors that are published as withdrawn."""
        return {name for name, key in self.published.items() if key in (WITHDRAWN, COMPROMISED)}


def keys(args: OwnMailServerArgs) -> Keys:
    """What a description says."""
    return Keys({key.selector.lower(): _identity(key) for key in args.dkim or []}, [s.lower() for s in args.signers])


def _identity(key: DkimKeyArgs) -> str:
    if not key.live:
        return COMPROMISED if key.compromised else WITHDRAWN
    if key.generate is not None:
        return f"generated {key.generate.value}"
    if key.target is not None:
        return f"at {key.target.lower().rstrip('.')}"
    text = key.public_key or ""
    with contextlib.suppress(dkim.KeyFormatError):
        text = dkim.public_key(text)[1]  # however it is written
    return f"given {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def check(args: OwnMailServerArgs, path: str) -> list[Diagnostic]:
    """What is wrong with the selectors of one description, at its arguments' paths."""
    found: list[Diagnostic] = []
    for n, key in enumerate(args.dkim or []):
        sources = [name for name in ("public_key", "generate", "target") if getattr(key, name) is not None]
        if len(sources) > 1:
            message = f"has {' and '.join(sources)}, and a selector has one key"
            fix = "keep one of them, and give the other key a selector of its own"
            found.append(error("dkim-two-keys", f"{path}.dkim[{n}]", message, fix))
        if not sources and key.live:
            message = "has no key"
            fix = "write `generate: rsa`, give `public_key` or `target`, or write `withdrawn: true`"
            found.append(error("dkim-no-key", f"{path}.dkim[{n}]", message, fix))
    return found + _check_signers(args, f"{path}.sign_with")


def _check_signers(args: OwnMailServerArgs, path: str) -> list[Diagnostic]:
    live = {key.selector.lower(): key for key in args.dkim or [] if key.live}
    if args.sign_with is None:
        return []
    if not args.sign_with:
        message, fix = "is empty, so no mail is signed", "write a selector, or leave it out"
        return [error("dkim-signer", path, message, fix, source="RFC 9989 §5.1")]
    found: list[Diagnostic] = []
    for n, selector in enumerate(args.sign_with):
        if selector.lower() not in live:
            message = f"mail would be signed by `{selector}`, whose key receivers do not find"
            fix = f"write one of {', '.join(live)}" if live else "publish a key first"
            found.append(error("dkim-signer", f"{path}[{n}]", message, fix, source="RFC 6376 §6.1.2"))
    kinds = {_kind(live[one.lower()]) for one in args.sign_with if one.lower() in live}
    if kinds == {DkimAlgorithm.ED25519.value}:
        message = "all mail is signed with Ed25519 alone, which many receivers cannot verify yet"
        fix = "sign with an RSA selector beside it"
        found.append(warning("dkim-ed25519-only", path, message, fix))
    return found


def _kind(key: DkimKeyArgs) -> str:
    """`rsa` or `ed25519`, or an empty text for a key that another publishes."""
    try:
        return dkim.public_key(key.public_key or "")[0]
    except dkim.KeyFormatError:
        return ""


def remembered(before: Keys | None, now: Keys, at: datetime) -> Keys:
    """`now` with what the next update has to know, after an update at the time `at`."""
    since = {name: before.since.get(name) if before else None for name in now.published}
    stopped = dict.fromkeys(now.signing, "")
    for name, when in before.signed.items() if before else ():
        stopped.setdefault(name, when or at.isoformat())
    return Keys(
        now.published,
        now.signing,
        {name: when or at.isoformat() for name, when in since.items()},
        {name: stopped[name] for name in sorted(stopped) if name in now.published and name not in now.gone},
    )


def steps(before: Keys | None, now: Keys, at: datetime) -> list[str]:
    """What must not happen between one update and the next at the time `at`, as sentences; None before the first."""
    if before is None:
        return []
    return [*_lost(before, now, at), *_changed(before, now), *_unpublished(before, now, at)]


def _lost(before: Keys, now: Keys, at: datetime) -> list[str]:
    found: list[str] = []
    for name, stopped in before.signed.items():
        if name not in now.published:
            found.append(
                f"the key of `{name}` would vanish, although it signed mail: write `withdrawn: true` for it once that "
                "mail is delivered, and remove it in a later update (RFC 6376 §3.6.1)"
            )
        elif now.published[name] == WITHDRAWN and not stopped:
            found.append(
                f"`{name}` signs until this update, and mail is under way for days: change `sign_with` now and "
                f"withdraw it {DELIVERED.days} days later, or write `compromised: true` if its private key is stolen "
                "(RFC 5321 §4.5.4.1)"
            )
        elif now.published[name] == WITHDRAWN and at < (until := datetime.fromisoformat(stopped) + DELIVERED):
            found.append(
                f"mail that `{name}` signed may be under way until {_shown(until)}: withdraw it after that, or write "
                "`compromised: true` if its private key is stolen (RFC 5321 §4.5.4.1)"
            )
    return found


def _changed(before: Keys, now: Keys) -> list[str]:
    return [
        f"`{name}` would get another key: give the new key a selector of its own, so that a forged mail can be told "
        "from an old one (RFC 6376 §3.1)"
        for name, key in sorted(now.published.items())
        if before.published.get(name, key) != key and name not in now.gone
    ]


def _unpublished(before: Keys, now: Keys, at: datetime) -> list[str]:
    stolen = all(now.published.get(name) == COMPROMISED for name in before.signing)
    if not before.signing or stolen:
        return []
    found: list[str] = []
    for name in now.signing:
        if name not in before.published:
            found.append(
                f"`{name}` would sign before its key is published: add it now, and name it in `sign_with` in a later "
                "update (RFC 6376 §3.6.2)"
            )
        elif name not in before.signing and at < (
            ready := datetime.fromisoformat(before.since[name]) + KNOWN_EVERYWHERE
        ):
            found.append(
                f"`{name}` is published since {_shown(datetime.fromisoformat(before.since[name]))}, and resolvers may "
                f"hold until {_shown(ready)} that it does not exist: let it sign after that (RFC 2308 §5)"
            )
    return found


def _shown(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
