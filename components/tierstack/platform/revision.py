"""Digits that stand for values among which are secrets."""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping

import pulumi

from tierstack.links import SecretRef

PATTERN = "[0-9a-f]{6}"
"""What a revision looks like before it is known, as a regular expression."""


def revision(late: Mapping[str, str]) -> str:
    """6 hexadecimal digits for the values that are known only during an update, secrets among them: where they stand
    in a name or a label, a rotated secret gives another container.

    scrypt (RFC 7914), because the digits are no secret while some of the values are.
    """
    return _digits(json.dumps(dict(late), sort_keys=True))


@functools.lru_cache(maxsize=1024)
def _digits(text: str) -> str:
    """Kept, because each takes about 60 ms and the same values come again, most often none at all."""
    return hashlib.scrypt(text.encode(), salt=b"tierstack", n=2**14, r=8, p=1, dklen=3).hex()


ANNOTATION = "tierstack.dev/revision"
"""Annotation of pods and label of containers: another one restarts them."""


def revision_of(values: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """The revision of `values`, which anyone may see."""
    return pulumi.Output.unsecret(pulumi.Output.all(**values).apply(revision))


def combined(secrets: Iterable[SecretRef]) -> pulumi.Input[str]:
    """One revision for all of `secrets`; those that have none count as unchanging."""
    known = [one.revision for one in secrets if one.revision is not None]
    if not known:
        return revision({})
    return pulumi.Output.all(*known).apply(lambda all_: hashlib.sha256(json.dumps(all_).encode()).hexdigest()[:6])
