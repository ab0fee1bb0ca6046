"""What differs between two environments of one program, and whether that is meant.

Rules are data: a place in the settings, what must be true of both values, and what a reader is told. The first
environment is the rehearsal of the second (`staging`, `prod`): what protects the second less is a surprise, and what
protects the first less is not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from tierstack.core.quantities import quantity
from tierstack.diff.marks import ABSENT, SECRET, is_secret
from tierstack.diff.model import Path, mapping, shown_path
from tierstack.diff.risk import path_matches
from tierstack.diff.secrets import Masker
from tierstack.diff.texts import shown


class Judgement(StrEnum):
    """Whether a difference is meant, the least expected first."""

    SURPRISING = "surprising"
    CHECK = "check"
    EXPECTED = "expected"

    @property
    def heading(self) -> str:
        """The heading above differences of this kind."""
        headings = {"surprising": "Surprising", "check": "Worth a look", "expected": "Expected"}
        return headings[self.value]


Test = Callable[[Any, Any], bool]
"""What a rule wants of the values of the first and the second environment."""


@dataclass(frozen=True)
class Difference:
    """A setting that two environments do not share."""

    path: str
    first: str
    """The value of the first environment, on one line."""
    second: str
    judgement: Judgement
    why: str


@dataclass(frozen=True)
class Comparison:
    """What two environments do not share."""

    differences: tuple[Difference, ...]
    """The least expected first."""
    encrypted: tuple[str, ...]
    """Settings that are encrypted on both sides, so that nobody can say whether they differ."""

    def of(self, judgement: Judgement) -> list[Difference]:
        """Those of one kind."""
        return [one for one in self.differences if one.judgement is judgement]


@dataclass(frozen=True)
class _Rule:
    paths: tuple[str, ...]
    """Patterns as in tierstack.diff.risk."""
    test: Test
    judgement: Judgement
    why: str


def _any(_: Any, __: Any) -> bool:
    return True


def _only_first(first: Any, second: Any) -> bool:
    return first is not ABSENT and second is ABSENT


def _only_second(first: Any, second: Any) -> bool:
    return first is ABSENT and second is not ABSENT


def _on_one(first: Any, second: Any) -> bool:
    return (first is ABSENT) != (second is ABSENT)


def _weaker(*ranks: str) -> tuple[Test, Test]:
    """Tests for a second, and for a first value, that protects less; `ranks` from weak to strong."""

    def rank(value: Any) -> int:
        return ranks.index(value) if value in ranks else -1

    return lambda a, b: rank(b) < rank(a), lambda a, b: rank(a) < rank(b)


def _smaller(first: Any, second: Any) -> bool:
    """The second is a smaller amount, or not given."""
    before, after = quantity(first), quantity(second)
    return before is not None and (second is ABSENT or (after is not None and after < before))


def _same_digest(first: Any, second: Any) -> bool:
    digests = [str(one).rpartition("sha256:")[2] for one in (first, second) if "sha256:" in str(one)]
    return len(digests) == 2 and digests[0] == digests[1]


def _for_tests(value: Any) -> bool:
    return isinstance(value, str) and any(word in value for word in ("staging", "test", "self-signed", "selfsigned"))


_PROTECTION = _weaker("none", "protect", "retain")
_DELIVERY = _weaker("env", "file")
_STS = _weaker("none", "testing", "enforce")
_SURPRISING, _CHECK, _EXPECTED = Judgement.SURPRISING, Judgement.CHECK, Judgement.EXPECTED
_LESS = "{second} protects its data less than {first}"

_RULES: tuple[_Rule, ...] = (
    _Rule(("tier",), _any, _EXPECTED, "the environments have different sizes"),
    _Rule(("** data_protection",), _PROTECTION[0], _SURPRISING, _LESS),
    _Rule(("** data_protection",), _PROTECTION[1], _EXPECTED, "{first} may be thrown away more easily"),
    _Rule(("platform", "platform **", "docker **", "kubernetes **"), _any, _EXPECTED, "where it runs"),
    _Rule(("images *", "** image"), _same_digest, _EXPECTED, "the same image under another name"),
    _Rule(
        ("images *", "** image"),
        lambda first, second: first is not ABSENT and second is not ABSENT,
        _SURPRISING,
        "another image: what {first} tried out is not what {second} runs; promote the same digest",
    ),
    _Rule(("images *", "** image"), _on_one, _CHECK, "only one of them names it; another size can need it"),
    _Rule(("backups",), _only_first, _SURPRISING, "{second} has no backups"),
    _Rule(("backups",), _only_second, _CHECK, "{first} has no backups, so nothing rehearses a restore"),
    _Rule(("object_storage",), _only_first, _SURPRISING, "{second} has no place for backups"),
    _Rule(("backups retention_days",), _smaller, _SURPRISING, "{second} keeps backups for a shorter time than {first}"),
    _Rule(("backups retention_days",), _any, _EXPECTED, "{first} keeps backups for a shorter time"),
    _Rule(("backups **",), _any, _CHECK, "backups are made differently, so a restore is rehearsed differently"),
    _Rule(("tls **",), lambda first, second: _for_tests(second), _SURPRISING, "{second} has certificates for tests"),
    _Rule(("tls local_ca",), _only_second, _SURPRISING, "{second} signs its own certificates, which no browser trusts"),
    _Rule(
        ("tls cluster_issuer", "tls acme server", "tls acme email"),
        lambda first, second: not _on_one(first, second),
        _EXPECTED,
        "each has its own issuer",
    ),
    _Rule(("tls **", "tls"), _any, _CHECK, "certificates come another way, so their renewal is not rehearsed"),
    _Rule(
        ("** environment *",),
        _on_one,
        _SURPRISING,
        "a variable that one has and the other has not: the application sees a difference that nobody tried out",
    ),
    _Rule(("** environment",), _on_one, _SURPRISING, "only one has variables of its own"),
    _Rule(("** environment *",), _any, _CHECK, "another value of a variable"),
    _Rule(("** secrets", "** secrets *"), _on_one, _SURPRISING, "a secret that one has and the other has not"),
    _Rule(("** secret_delivery",), _DELIVERY[0], _SURPRISING, "{second} hands out secrets less safely than {first}"),
    _Rule(("** mta_sts mode",), _STS[0], _SURPRISING, "{second} lets mail through that {first} refuses"),
    _Rule(("ignore", "ignore *"), _only_second, _SURPRISING, "{second} accepts a finding that {first} does not have"),
    _Rule(("ignore", "ignore *"), _any, _CHECK, "findings are accepted differently"),
    _Rule(
        (
            *("** hostnames", "** hostnames *", "** host", "** domain", "** bucket", "** region", "** endpoint_url"),
            *("** access_key_id", "** path_prefix", "** prefix", "dns", "dns **", "mta_sts", "mta_sts **"),
        ),
        _any,
        _EXPECTED,
        "each has its own names and places",
    ),
    _Rule(
        (
            *("** replicas", "** max_replicas", "** nodes", "** count", "** instances", "** max_count"),
            *("** *_mb", "** *_gb", "** cpu", "** *_cpu", "** *_connections", "** *_children", "** workers"),
        ),
        _any,
        _EXPECTED,
        "each has its own size",
    ),
    _Rule(("database engine", "databases * engine", "** version"), _any, _SURPRISING, "another engine or version"),
    _Rule(("** command", "** health_command", "** document_root"), _any, _SURPRISING, "another program runs"),
    _Rule(
        ("database", "redis", "app", "databases *", "redis_instances *", "apps *"), _on_one, _CHECK, "only one has it"
    ),
)


def compared(first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str]) -> Comparison:
    """The differences of the settings of two environments, in which SECRET stands for what is encrypted."""
    masked = [_hidden(one) for one in Masker().pair(first, second)]
    found: list[Difference] = []
    encrypted: list[str] = []
    for path, a, b in _walk(first, second, ()):
        if is_secret(a) and is_secret(b):
            encrypted.append(shown_path(path))
        elif is_secret(a) or is_secret(b):
            found.append(_one_sided_secret(path, a, b, names))
        else:
            judgement, why = _judged(path, a, b)
            values = [shown(_at(side, path), 80) for side in masked]
            why = why.format(first=names[0], second=names[1])
            found.append(Difference(shown_path(path), values[0], values[1], judgement, why))
    order = list(Judgement)
    found.sort(key=lambda one: (order.index(one.judgement), one.path))
    return Comparison(tuple(found), tuple(encrypted))


def _one_sided_secret(path: Path, first: Any, second: Any, names: tuple[str, str]) -> Difference:
    """A secret on one side: on the other one there is none, or one in plaintext, which is not shown."""
    other, name = (second, names[1]) if is_secret(first) else (first, names[0])
    why = f"{name} has no such secret" if other is ABSENT else f"{name} has it in plaintext; encrypt it there, too"
    values = [str(SECRET) if side is not ABSENT else shown(ABSENT) for side in (first, second)]
    return Difference(shown_path(path), values[0], values[1], Judgement.SURPRISING, why)


def _judged(path: Path, first: Any, second: Any) -> tuple[Judgement, str]:
    for rule in _RULES:
        if any(path_matches(path, pattern.split()) for pattern in rule.paths) and rule.test(first, second):
            return rule.judgement, rule.why
    return Judgement.CHECK, "no rule says that it is meant"


def _walk(first: Any, second: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """What differs; a section that only one side has is one difference."""
    a, b = mapping(first), mapping(second)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in sorted({*a, *b}, key=str):
            yield from _walk(a.get(key, ABSENT), b.get(key, ABSENT), (*path, str(key)))
    elif SECRET in (first, second) or first != second or isinstance(first, bool) != isinstance(second, bool):
        yield path, first, second


def _hidden(value: Any) -> Any:
    """Settings to be shown: what stands below `secrets` may be in plaintext, and any name is good for a secret."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: dict.fromkeys(mapping(one), SECRET) if key == "secrets" else _hidden(one)
        for key, one in mapping(cast(Any, value)).items()
    }


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = mapping(value).get(key, ABSENT)
    return value
