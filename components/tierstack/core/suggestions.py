"""What somebody meant who wrote a key that there is not, or an amount with its unit.

A key may be misspelled, stand at another level, or be called so by other tools: all three are told the right key.
"""

import difflib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from tierstack.core.diagnostics import MISSING, Diagnostic
from tierstack.core.errors import ALIKE, folded

_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    # what Kubernetes, Compose, Helm charts, Terraform modules and web servers call it → our keys, the likeliest first
    "namespace": ("name",),
    "env envs envvars environmentvariables variables vars": ("environment",),
    "domain domains domainname domainnames host hosts fqdn servername serveraliases url urls": ("hostnames", "domain"),
    "memory mem memorylimit memlimit ram": ("memory_mb",),
    "cpus cpulimit vcpu vcpus cores": ("cpu",),
    "resources limits requests": ("memory_mb", "cpu"),
    "storage disk disksize size volumesize storagesize": ("storage_gb",),
    "replica replicas replicacount instances instancecount scale count": ("replicas", "nodes", "count"),
    "maxinstances maxscale maxreplicas": ("max_replicas", "max_count"),
    "tag imagetag imageversion version": ("image",),
    "entrypoint cmd args": ("command",),
    "volume volumes mounts persistence": ("uploads",),
    "dbname db databasename": ("database",),
    "dbuser username owner": ("user",),
    "ssl cert letsencrypt": ("acme", "tls"),
    "egress": ("outbound",),
    "ingress proxy loadbalancer traefik": ("gateway",),
    "postgres postgresql mysql mariadb": ("database",),
    "valkey": ("redis",),
    "cron": ("schedule",),
    "gracefulshutdown terminationgraceperiodseconds gracetimeout": ("stop_seconds",),
}
_OTHER_MEANS = {
    "single": (
        ("cron", "crontab", "cronjob", "cronjobs", "schedule"),
        "let a role with `single: true` run the application's own scheduler (docs/components/app-cluster.md, Jobs at "
        "fixed times)",
    ),
    "image": (
        ("tag", "imagetag", "imageversion", "version"),
        "the version is a part of the image; write it there, `image: registry.example/NAME:VERSION@sha256:…`",
    ),
}
"""What others give a key for and we do by other means: where a group has this key, the words, and what to do."""
_WORDS = {word: keys for words, keys in _OTHER_WORDS.items() for word in words.split()}


def unknown_key(
    path: str,
    key: str,
    known: Iterable[str],
    groups: Mapping[str, Iterable[str]] | None = None,
    value: object = MISSING,
) -> Diagnostic:
    """The problem of a key that nothing reads, with the nearest key that something does read.

    `groups`: the keys inside those of `known` that hold a group, by its name, and inside examples of a map of groups
    (`roles.worker`). What stands at the wrong level is told the right one: `acme_email` and `email` mean `acme.email`,
    `worker_command` means `roles.worker.command`, and `issuer`, with the `value` "acme", means `acme`. A key at the
    same level is told by its name, one at another level by its whole path.
    """
    names, inner = sorted(known), groups or {}
    guesses = (
        _in_groups(key, value, inner) or _by_another_word(key, names, inner) or _alike(key, names, inner)
    ) or _ending(key, inner)
    whole = [f"{path}.{one}" if path and "." in one else one for one in guesses[:4]]
    means = next(
        (hint for beside, (words, hint) in _OTHER_MEANS.items() if beside in names and folded(key) in words), ""
    )
    hint = means or (did_you_mean(whole, value) if whole else f"known keys: {', '.join(names)}")
    return Diagnostic(f"{path}.{key}" if path else key, MISSING, "is not a known key", hint, "unknown-key")


def did_you_mean(keys: Sequence[str], value: object = MISSING) -> str:
    """The hint that names `keys`; an amount with its unit is written as the only one of them takes it."""
    amount = in_its_unit(keys[0], value) if len(keys) == 1 else None
    if amount is not None:
        return f"write `{keys[0]}: {amount}`"
    quoted = [f"`{one}`" for one in keys]
    return f"did you mean {' or '.join([*([', '.join(quoted[:-1])] if len(quoted) > 1 else []), quoted[-1]])}?"


_SHELL = re.compile(r"[|&;<>$`*\n]")  # what only a shell understands
_PLAIN = re.compile(r"[\w./@+=-][\w./@+=:-]*(?<!:)")  # what YAML reads as a text, also within brackets
_NO_TEXT = re.compile(r"(?i:true|false|null|yes|no|on|off|~|[-+.]?[0-9][0-9._:eEx+-]*|-)")


def in_a_list(key: str, value: str | int) -> str:
    """A single value as the list that its key takes, as it is written: `[shop.example]`; a command in its words."""
    if not isinstance(value, str):
        return f"[{value}]"
    if not key.endswith("command"):
        words = [one.strip() for one in value.split(",")]
    elif _SHELL.search(value):
        words = ["sh", "-c", value]
    else:
        try:
            words = shlex.split(value)
        except ValueError:  # a quotation mark without its other half
            words = value.split()
    return f"[{', '.join(_quoted(one) for one in words if one)}]"


def _quoted(word: str) -> str:
    return word if _PLAIN.fullmatch(word) and not _NO_TEXT.fullmatch(word) else json.dumps(word, ensure_ascii=False)


def _last(group: str) -> str:
    return group.rpartition(".")[2]


def _in_groups(key: str, value: object, groups: Mapping[str, Iterable[str]]) -> list[str]:
    pairs = [(group, name) for group, names in groups.items() for name in names]
    joined = [f"{group}.{name}" for group, name in pairs if folded(f"{_last(group)}{name}") == folded(key)]
    # Those of a mere example (`roles.worker`) are not meant by their name alone.
    alone = [f"{group}.{name}" for group, name in pairs if "." not in group and folded(name) == folded(key)]
    chosen = [group for group in groups if isinstance(value, str) and folded(group) == folded(value)]
    return joined or alone or chosen


def _by_another_word(key: str, names: Sequence[str], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys that other tools call `key`: at this level, or in the groups below it."""
    meant = _WORDS.get(folded(key), ())
    here = [one for one in meant if one in names]
    if here:
        return here if folded(key) in ("resources", "limits", "requests") else here[:1]
    pairs = [(group, name) for group, keys in groups.items() for name in keys if "." not in group]
    return [f"{group}.{name}" for one in meant for group, name in pairs if name == one]


def _alike(key: str, names: Sequence[str], groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The known key that is most like `key`: a group by the name of it (`workers`), one inside a group by the name of
    that (`migrate_command`), or one at the same level."""
    inside = {folded(_last(group)): group for group in groups}
    for group, keys in groups.items():
        for one in keys:
            before = folded(key).removesuffix(folded(one))
            if before != folded(key) and difflib.get_close_matches(before, [folded(_last(group))], cutoff=ALIKE):
                inside[folded(f"{_last(group)}{one}")] = f"{group}.{one}"
    beside = {folded(name): name for name in names}
    close = difflib.get_close_matches(folded(key), [*beside, *inside], n=1, cutoff=0.7)
    close = close or difflib.get_close_matches(folded(key), beside, n=1, cutoff=ALIKE)
    return [(inside | beside)[one] for one in close]


def _ending(key: str, groups: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys inside groups with which `key` ends (`web_cpu`)."""
    return [f"{group}.{one}" for group, keys in groups.items() for one in keys if key.endswith(f"_{one}")]


_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Zµ%]+)\s*")
_BYTES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}  # powers of two: who writes `64M` of memory means MiB
_SECONDS = {
    **dict.fromkeys(("ms", "millis", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_UNITS: dict[str, tuple[str, float]] = {
    "mb": ("bytes", 2.0**20),
    "gb": ("bytes", 2.0**30),
    "ms": ("seconds", 0.001),
    "seconds": ("seconds", 1.0),
    "timeout": ("seconds", 1.0),
    "ttl": ("seconds", 1.0),
    "age": ("seconds", 1.0),
    "minutes": ("seconds", 60.0),
    "hours": ("seconds", 3600.0),
    "days": ("seconds", 86400.0),
    "cpu": ("cores", 1.0),
    "percent": ("percent", 1.0),
}
"""What the last word of a key says about its unit: what it measures, and how much one of it is."""


def in_its_unit(key: str, value: object) -> str | None:
    """The amount `value`, such as `512Mi`, as the number that `key` takes, such as `memory_mb`. None: it is no amount
    of what the key measures, or no whole number of its unit."""
    found = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    measured, one = _UNITS.get(re.split(r"[._]", key)[-1], ("", 1.0))
    factor = _factor(measured, found[2]) if found else None
    if found is None or factor is None:
        return None
    amount = round(float(found[1]) * factor / one, 6)
    if measured == "cores":
        return f"{amount:g}"
    return str(int(amount)) if amount.is_integer() and amount < 1e15 else None


def _factor(measured: str, unit: str) -> float | None:
    """How much one `unit` is. None: it is no unit of what is measured."""
    if measured == "bytes":
        power = _BYTES.get(re.sub(r"(i?b|i|bytes?)$", "", unit.lower()))
        return None if power is None else 2.0**power
    if measured == "seconds":
        return _SECONDS.get(unit.lower())
    if measured == "cores":
        return 0.001 if unit == "m" else None
    return 1.0 if measured == "percent" and unit in ("%", "percent") else None
