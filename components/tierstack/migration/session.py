"""SET: what a session, or everybody, works with from then on (pure)."""

import re
from collections.abc import Iterable

from tierstack.migration.changes import Change, Harmless, Lock, Revoke, Server, Setting
from tierstack.migration.cursor import Cursor, NotReadError, parts
from tierstack.migration.lexer import Engine

LONGEST_WAIT_S = 10.0
"""Seconds: a `lock_timeout` above it counts as none, because all queries of the table wait as long. A choice."""
OFF = frozenset({"0", "off", "false", "no", "default", ""})
_STOPPING = frozenset({"read_only", "super_read_only", "offline_mode", "require_secure_transport"})
"""Variables of MySQL that keep a running release from writing, or from connecting."""
_NO_VARIABLE = (
    *("transaction", "names", "time zone", "role", "constraints", "characteristics", "character set"),
    "default role",
)
_UNITS_S = {"us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def set_variables(cursor: Cursor, engine: Engine) -> Iterable[Change]:
    """SET, after that word."""
    # MySQL sets several at once; a comma of PostgreSQL is in a value.
    several = parts(cursor.tokens[cursor.at :]) if engine is Engine.MYSQL else [tuple(cursor.tokens[cursor.at :])]
    made = [_set(Cursor(tokens), engine) for tokens in several]
    cursor.skip()
    return made or [Harmless()]


def _set(cursor: Cursor, engine: Engine) -> Change:
    scope = cursor.take_any("session", "local", "global", "persist", "persist_only")
    if cursor.take("password"):
        return Revoke(what="changes a password", severe=True)
    if word := cursor.take_any(*_NO_VARIABLE):
        return _for_everybody(word, "1") if scope in ("global", "persist") else Harmless()
    name = cursor.name()
    for prefix in ("@@global.", "@@persist.", "@@persist_only."):
        if name.startswith(prefix):
            scope, name = prefix.strip("@."), name.removeprefix(prefix)
    name = name.removeprefix("@@").removeprefix("session.").removeprefix("local.")
    if not cursor.take_any("=", ":=", "to"):
        raise NotReadError(cursor.rest() or "the end")
    value = cursor.rest().strip("'\"").lower()
    if engine is Engine.MYSQL and scope in ("global", "persist", "persist_only"):
        return _for_everybody(name, value)
    value = "" if value == "default" else value
    return Setting(name=name, value=value, local=scope == "local" and engine is Engine.POSTGRESQL)


def _for_everybody(name: str, value: str) -> Change:
    if name in _STOPPING:
        if value in OFF:
            return Harmless()
        return Lock(what=f"SET GLOBAL {name} keeps the release that still runs from working", remedy="leave it out")
    what = f"SET GLOBAL {name} changes the server for all sessions"
    return Server(what=what, remedy="set it in the session, or in the configuration of the server")


def seconds(value: str) -> float | None:
    """A time as PostgreSQL writes it, in seconds; a number alone is in milliseconds. None: it is no time."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)", value.strip())
    return float(match[1]) * _UNITS_S[match[2]] if match else None


def limits_waits(value: str) -> bool:
    """Whether a `lock_timeout` makes a statement give up soon."""
    return (wait := seconds(value)) is not None and 0 < wait <= LONGEST_WAIT_S
