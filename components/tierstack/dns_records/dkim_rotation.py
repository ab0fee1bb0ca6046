"""How DKIM keys of one's own change without a moment in which signatures fail (pure).

A key is published in one update, signs from a later one, is withdrawn in one after that, and then leaves. What an
update must not do depends on the one before, so the rules take both (`steps`); `check` judges one description.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tierstack.dns_records import dkim
from tierstack.dns_records.findings import Finding, error, warning
from tierstack.dns_records.options import DkimAlgorithm, DkimKeyArgs, OwnMailServerArgs

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
    signed: Sequence[str] = ()
    """The selectors that signed in any update so far and were not withdrawn since."""

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


def check(args: OwnMailServerArgs, path: str) -> list[Finding]:
    """What is wrong with the selectors of one description, at its arguments' paths."""
    found: list[Finding] = []
    for n, key in enumerate(args.dkim or []):
        sources = [name for name in ("public_key", "generate", "target") if getattr(key, name) is not None]
        if len(sources) > 1:
            message = f"has {' and '.join(sources)}, and a selector has one key"
            fix = "keep one of them, and give the other key a selector of its own"
            found.append(error("dkim-two-keys", f"{path}.dkim[{n}]", message, "RFC 6376 §3.6.2.2", fix))
        if not sources and key.live:
            message = "has no key"
            fix = "write `generate: rsa`, give `public_key` or `target`, or write `withdrawn: true`"
            found.append(error("dkim-no-key", f"{path}.dkim[{n}]", message, "RFC 6376 §3.6.1", fix))
    return found + _check_signers(args, f"{path}.sign_with")


def _check_signers(args: OwnMailServerArgs, path: str) -> list[Finding]:
    live = {key.selector.lower(): key for key in args.dkim or [] if key.live}
    if args.sign_with is None:
        return []
    if not args.sign_with:
        message, fix = "is empty, so no mail is signed", "write a selector, or leave it out"
        return [error("dkim-signer", path, message, "RFC 9989 §5.1", fix)]
    found: list[Finding] = []
    for n, selector in enumerate(args.sign_with):
        if selector.lower() not in live:
            message = f"mail would be signed by `{selector}`, whose key receivers do not find"
            fix = f"write one of {', '.join(live)}" if live else "publish a key first"
            found.append(error("dkim-signer", f"{path}[{n}]", message, "RFC 6376 §6.1.2", fix))
    kinds = {_kind(live[one.lower()]) for one in args.sign_with if one.lower() in live}
    if kinds == {DkimAlgorithm.ED25519.value}:
        message = "all mail is signed with Ed25519 alone, which many receivers cannot verify yet"
        fix = "sign with an RSA selector beside it"
        found.append(warning("dkim-ed25519-only", path, message, "RFC 8463 §6", fix))
    return found


def _kind(key: DkimKeyArgs) -> str:
    """`rsa` or `ed25519`, or an empty text for a key that another publishes."""
    try:
        return dkim.public_key(key.public_key or "")[0]
    except dkim.KeyFormatError:
        return ""


def history(before: Keys | None, now: Keys) -> list[str]:
    """The selectors that have signed and still need their keys, after the update."""
    signed = {*(before.signed if before else ()), *now.signing}
    return sorted(name for name in signed if name in now.published and name not in now.gone)


def steps(before: Keys | None, now: Keys) -> list[str]:
    """What must not happen between one update and the next, as sentences; None before the first."""
    if before is None:
        return []
    return [*_lost(before, now), *_changed(before, now), *_unpublished(before, now)]


def _lost(before: Keys, now: Keys) -> list[str]:
    found: list[str] = []
    for name in sorted({*before.signed, *before.signing}):
        if name not in now.published and name not in before.gone:
            found.append(
                f"the key of `{name}` would vanish, although it signed mail: write `withdrawn: true` for it a week "
                "after its last signature, and remove it in a later update (RFC 6376 §3.6.1)"
            )
        elif name in before.signing and now.published.get(name) == WITHDRAWN:
            found.append(
                f"`{name}` signs until this update, and mail is under way for days: change `sign_with` now and "
                "withdraw it a week later, or write `compromised: true` if its private key is stolen "
                "(RFC 5321 §4.5.4.1)"
            )
    return found


def _changed(before: Keys, now: Keys) -> list[str]:
    return [
        f"`{name}` would get another key: give the new key a selector of its own, so that a forged mail can be told "
        "from an old one (RFC 6376 §3.1)"
        for name, key in sorted(now.published.items())
        if before.published.get(name, key) != key and name not in now.gone
    ]


def _unpublished(before: Keys, now: Keys) -> list[str]:
    stolen = all(now.published.get(name) == COMPROMISED for name in before.signing)
    if not before.signing or stolen:
        return []
    return [
        f"`{name}` would sign before its key is published: add it now, and name it in `sign_with` in a later update, "
        "once the TTL of the zone has passed (RFC 6376 §3.6.2, RFC 2308 §5)"
        for name in now.signing
        if name not in before.published
    ]
