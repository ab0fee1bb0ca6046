"""Parts of the settings are made from arguments: their keys, types and defaults, and what the user wrote."""

from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest

from tierstack.core.arguments import load
from tierstack.core.keys import Key, Secret, noun
from tierstack.core.tier import Tier
from tierstack.stack.derive import Settings, settings_class, settings_of


@dataclass(kw_only=True)
class Account:
    user: str
    password: pulumi.Input[str] = field(metadata={"secret": True})


@dataclass(kw_only=True)
class Limits:
    memory_mb: int = 64


@dataclass(kw_only=True)
class Args:
    """What a component takes."""

    platform: str
    tier: Tier = Tier.USERS_100K
    limits: Limits = field(default_factory=Limits)
    accounts: list[Account] | None = None
    tokens: dict[str, pulumi.Input[str]] | None = field(default=None, metadata={"secret": True})
    image: pulumi.Input[str] | None = None


def read(given: dict[str, Any]) -> Any:
    found, problems = load(settings_of(Args, {"platform", "limits.nothing"}), given)
    assert problems == []
    return found


def test_what_the_program_gives_is_no_key() -> None:
    assert list(settings_of(Args, {"platform", "accounts.user"}).KEYS) == [
        *("tier", "limits", "accounts", "tokens", "image")
    ]
    (wrong,) = load(settings_of(Args, {"platform", "accounts.user"}), {"accounts": [{"user": "a", "password": "b"}]})[1]
    assert (wrong.path, wrong.code) == ("accounts[0].user", "unknown-key")


def test_types_are_those_that_a_file_can_hold() -> None:
    nouns = {name: noun(key.type) for name, key in settings_of(Args, {"platform"}).KEYS.items()}
    assert nouns == {
        "tier": "`100k` or `1M`",
        "limits": "section",
        "accounts": "list of section",
        "tokens": "map to secret text",
        "image": "text",
    }


def test_defaults_are_there_and_only_what_was_written_is_handed_on() -> None:
    settings = read({"accounts": [{"user": "a", "password": "b"}]})
    assert (settings.tier, settings.limits.memory_mb, settings.image) == (Tier.USERS_100K, 64, None)
    assert isinstance(settings.limits, Settings)
    assert settings.written() == {"accounts": [{"user": "a", "password": "b"}]}
    assert read({"tier": "1M", "image": None}).written() == {"tier": Tier.USERS_1M, "image": None}


def test_a_secret_is_shown_nowhere_and_protected_when_it_is_handed_on() -> None:
    settings = read({"accounts": [{"user": "a", "password": "hunter2"}], "tokens": {"x": "hunter2"}})
    assert "hunter2" not in repr(settings)
    assert repr(Secret("hunter2")) == "(hidden)"
    handed = settings.written(lambda text: f"<{text}>")
    assert handed == {"accounts": [{"user": "a", "password": "<hunter2>"}], "tokens": {"x": "<hunter2>"}}


@pytest.mark.parametrize("key", ["written", "keys_given", "KEYS"])
def test_a_key_that_means_something_on_every_part_is_refused(key: str) -> None:
    with pytest.raises(TypeError, match=f"{key} means something else"):
        settings_class("Wrong", {key: Key(type=str)})
