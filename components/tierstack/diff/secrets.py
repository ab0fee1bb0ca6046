"""Secrets of a plan, masked on both sides before anything else looks at it.

The engine masks what is marked as secret. It cannot mask what was not: a value that only now becomes secret stands in
plaintext on the old side, and again wherever else it was used. So every value beside which the other side has a secret
is masked, and then removed from all texts of the plan, error messages among them.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from tierstack.diff.compare import aligned, opened, variables
from tierstack.diff.marks import ABSENT, EXPOSED, FORMER, SECRET, UNKNOWN
from tierstack.diff.model import elements, mapping

_ENGINE_MASK = "[secret]"
_SIGNATURE, _SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How the engine marks a secret in a state: a map with this key, and this value."""
_OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
"""The same key with this value: an output, which may be secret."""
_UNKNOWN_TEXTS = frozenset({"04da6b54-80e4-46f7-96ec-b56ff0331ba9", "output<string>", "<computed>"})
_SHORTEST = 6
"""Characters of a value that is removed from other texts, too: a shorter one would be found in innocent words."""
_NAME = re.compile(
    r"(?:^|[._-]|(?<=[a-z]))(?:pass(?:word|wd|phrase)|secret|token|api_?key|private_?key(?:_?pem)?|app_?key|"
    r"signing_?key|encryption_?key|access_?key|credentials?|hmac_?key|client_?secret|kube_?config)$"
    r"|[._-](?:pass|pwd)$|(?<=[a-z0-9])(?-i:Pass|Pwd)$",
    re.IGNORECASE,
)
"""Names of properties and variables whose strings are secrets, marked or not."""
_IN_TEXT = (
    (
        # A setting in a file: `password: x`, `DB_PASSWORD="x"`; not where it only says where the secret is.
        re.compile(
            r"""(?im)^(\s*["']?[\w.-]*(?:password|passwd|passphrase|secret|token|api_?key)["']?\s*[:=]\s*["']?)"""
            r"""(?![${(/"'\s]|\[secret)[^\s"',]{4,}"""
        ),
        r"\1[secret]",
    ),
    (
        re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        r"\1 [secret] \2",
    ),
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@"), r"\1:[secret]@"),
    (
        # In a list of settings: `Server=db;Password=x`, `https://x?token=y&z`; not where it says where the secret is.
        re.compile(
            r"""(?i)(?<![a-z0-9])((?:[a-z]+[_-]?)?(?:password|pwd|token|api_?key|access_?key|account_?key|secret|"""
            r"""signature|sig)=)(?![${(/"'\s]|\[secret)[^\s"'&;,]{4,}"""
        ),
        r"\1[secret]",
    ),
    (re.compile(r"(?i)\b(bearer|basic) (?=[a-z._~+/=-]*[0-9])[a-z0-9._~+/=-]{8,}"), r"\1 [secret]"),
    (
        # Tokens that their makers gave a form by which they are found: GitHub, GitLab, Slack, Stripe, and JWT.
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|"
            r"[sr]k_live_\w{10,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})"
        ),
        "[secret]",
    ),
    (re.compile(r"(hooks\.slack\.com/services/)[\w/]+"), r"\1[secret]"),
)
"""Secrets that show themselves inside a text: private keys, passwords in addresses, tokens of a known form."""


class Masker:
    """Masks pairs of states; `texts` are those values that were seen to be secret, to be removed everywhere."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def pair(self, old: Any, new: Any, *, secret_values: bool = False) -> tuple[Any, Any]:
        """Both sides of one resource, masked. `secret_values`: all that its `data` holds is secret."""
        before, after = _unwrapped(old), _unwrapped(new)
        if secret_values:
            before, after = self._data(before, after)
        return self._walk(before, after, "")

    def cleaned(self, value: Any) -> Any:
        """`value` without any secret that was seen anywhere in the plan: to be called once all pairs are masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.cleaned(one) for key, one in cast(Mapping[str, Any], value).items()}
        if isinstance(value, list):
            return [self.cleaned(one) for one in cast(list[Any], value)]
        return value

    def text(self, text: str) -> str:
        """A text, such as an error message, without secrets."""
        if self._pattern is None:
            encoded = {base64.b64encode(one.encode()).decode() for one in self._seen}
            longest_first = sorted(self._seen | encoded, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        text = self._pattern.sub(_ENGINE_MASK, text)
        for pattern, instead in _IN_TEXT:
            text = pattern.sub(instead, text)
        return text

    def _walk(self, old: Any, new: Any, name: str) -> tuple[Any, Any]:
        if old is SECRET or new is SECRET or _is_secret(name, old) or _is_secret(name, new):
            before, after = self._hide_pair(old, new)
            return before, EXPOSED if old is SECRET and after is SECRET is not new else after
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            before, after = mapping(old), mapping(new)
            # A map of {name, value}: a variable of a container.
            variable = next((str(one["name"]) for one in (before, after) if "name" in one and "value" in one), "")
            pairs = {
                key: self._walk(before.get(key, ABSENT), after.get(key, ABSENT), variable if key == "value" else key)
                for key in [*before, *(key for key in after if key not in before)]
            }
            kept = [{key: pair[side] for key, pair in pairs.items() if pair[side] is not ABSENT} for side in (0, 1)]
            return kept[0] if isinstance(old, Mapping) else old, kept[1] if isinstance(new, Mapping) else new
        if isinstance(old, list) or isinstance(new, list):
            maps = variables(old, new)
            return self._lists(old, new, name) if maps == (old, new) else self._walk(*maps, name)
        return self._opened(old, new, name) or (old, new)

    def _opened(self, old: Any, new: Any, name: str) -> tuple[Any, Any] | None:
        """JSON in strings: masked inside, and left open where something was."""
        values = [opened(side) if isinstance(side, str) else None for side in (old, new)]
        if values == [None, None]:
            return None
        parsed = [side if value is None else value for value, side in zip(values, (old, new), strict=True)]
        masked = self._walk(parsed[0], parsed[1], name)
        return None if list(masked) == parsed else masked

    def _lists(self, old: Any, new: Any, name: str) -> tuple[Any, Any]:
        before, after = elements(old), elements(new)
        if SECRET in before or SECRET in after:
            # One of them is secret, and nothing says which it was: all that has no equal on the other side may be it.
            exposed = SECRET in before and SECRET not in after and len(after) >= len(before)
            hidden = [
                [one if one in other else self._hide(one, mark) for one in side]
                for side, other, mark in ((before, after, FORMER), (after, before, EXPOSED if exposed else SECRET))
            ]
        else:
            pairs = [(was, becomes) for _, was, becomes in aligned(before, after)]
            masked = [self._walk(was, becomes, name) for was, becomes in pairs]
            hidden = [[pair[side] for pair in masked if pair[side] is not ABSENT] for side in (0, 1)]
        return hidden[0] if isinstance(old, list) else old, hidden[1] if isinstance(new, list) else new

    def _data(self, old: Any, new: Any) -> tuple[Any, Any]:
        """The values of a Kubernetes Secret hidden."""
        sides = [dict(mapping(old)), dict(mapping(new))]
        for key in ("data", "stringData"):
            before, after = (mapping(side.get(key)) for side in sides)
            pairs = {
                name: self._hide_pair(before.get(name, ABSENT), after.get(name, ABSENT)) for name in {**before, **after}
            }
            for index, given in enumerate((before, after)):
                if given:
                    sides[index][key] = {name: pairs[name][index] for name in given}
        return sides[0], sides[1]

    def _hide_pair(self, old: Any, new: Any) -> tuple[Any, Any]:
        # Of two secrets of the engine nothing says whether they differ: its detailed difference may.
        return self._hide(old, SECRET if old == new else FORMER), self._hide(new)

    def _hide(self, value: Any, mark: Any = SECRET) -> Any:
        """A mark in the place of `value`, whose texts are remembered; what is absent or unknown stays so."""
        if value is ABSENT or value is UNKNOWN:
            return value
        if value is SECRET:
            return mark
        for text in _strings(value):
            self._seen |= {line for line in {text, *text.splitlines()} if len(line.strip()) >= _SHORTEST}
        self._pattern = None
        return mark


def has_secret(value: Any) -> bool:
    """Whether something in a value, as the engine writes it, is marked as a secret."""
    found = _unwrapped(value)
    parts: list[Any] = [found]
    while parts:
        one = parts.pop()
        if one is SECRET:
            return True
        parts += [*mapping(one).values(), *elements(one)]
    return False


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and bool(value) and bool(_NAME.search(name)) and not _is_reference(value)


def _is_reference(value: str) -> bool:
    """Whether a string only says where a secret is: a template, a path."""
    return value.startswith(("{{", "${", "/run/", "/etc/", "/var/"))


def _unwrapped(value: Any) -> Any:
    """`value` with marks in the place of the engine's signatures."""
    if isinstance(value, str):
        return SECRET if value == _ENGINE_MASK else UNKNOWN if value in _UNKNOWN_TEXTS else value
    if isinstance(value, Mapping):
        given = cast(Mapping[str, Any], value)
        signature = given.get(_SIGNATURE)
        if signature == _SECRET_SIGNATURE or (signature == _OUTPUT_SIGNATURE and given.get("secret")):
            return SECRET
        if signature == _OUTPUT_SIGNATURE:
            return _unwrapped(given["value"]) if "value" in given else UNKNOWN
        return {str(key): _unwrapped(one) for key, one in given.items()}
    return [_unwrapped(one) for one in cast(list[Any], value)] if isinstance(value, list) else value


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in cast(Mapping[str, Any], value).values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in cast(list[Any], value):
            yield from _strings(one)
