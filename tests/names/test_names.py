"""Type tokens and logical names of everything: what the URNs of existing stacks are made of.

A name that changes here makes existing stacks delete and create: it must be meant, and ship with an alias.
"""

import pytest

import tierstack
from tests.cluster_addons.samples import given
from tests.names.whole import PLATFORMS, shop
from tests.support import Recorder, golden, run_program
from tierstack.platform.component import Component

pytestmark = pytest.mark.graph


@pytest.mark.parametrize("tier", tierstack.Tier, ids=lambda tier: tier.value)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_names(platform: str, tier: tierstack.Tier) -> None:
    names = run_program(lambda: shop(PLATFORMS[platform], tier)).names()
    golden(f"names-{platform}-{tier.value}.json", names)


def addons() -> Recorder:
    """The operators have a stack of their own."""
    return run_program(
        lambda: tierstack.ClusterAddons("addons", given(metrics_server=True, keda=True, argo_rollouts=True))
    )  # type: ignore[arg-type]


def test_names_of_the_addons() -> None:
    golden("names-cluster-addons.json", addons().names())


def test_type_tokens() -> None:
    exported = (getattr(tierstack, name) for name in tierstack.__all__)
    components = sorted(one.__name__ for one in exported if isinstance(one, type) and issubclass(one, Component))
    assert components == [
        "AppCluster",
        "BackupSchedule",
        "ClusterAddons",
        "DNSRecords",
        "DatabaseDumps",
        "DatabaseWithReplicas",
        "FileBackups",
        "Gateway",
        "MtaStsHost",
        "ObjectStorage",
        "RedisCluster",
        "TLS",
    ]
    made = run_program(lambda: shop(PLATFORMS["docker"], tierstack.Tier.USERS_100K)).made
    made += addons().made
    assert sorted(one.type for one in made if one.type.startswith("tierstack:")) == [
        f"tierstack:index:{name}" for name in components
    ]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_child_is_named_after_its_component(platform: str) -> None:
    made = run_program(lambda: shop(PLATFORMS[platform], tierstack.Tier.USERS_1M)).made
    for one in made:
        if one.parent:
            assert f"{one.name}-".startswith(f"{one.parent}-"), f"{one.name} under {one.parent}"


@pytest.mark.parametrize("tier", tierstack.Tier, ids=lambda tier: tier.value)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_names_do_not_depend_on_the_run(platform: str, tier: tierstack.Tier) -> None:
    one, two = (run_program(lambda: shop(PLATFORMS[platform], tier)).names() for _ in range(2))
    assert one == two


def test_every_component_takes_the_dict_of_the_component_host() -> None:
    """Nothing but what a dict can say: `kind` and `name` of the platform, camelCase, floats."""
    plain = {"platform": {"kind": "docker", "name": "shop"}, "hostnames": ["shop.example.org"]}
    made = run_program(lambda: tierstack.TLS("tls", plain))  # type: ignore[arg-type]
    assert made.named("tls").type == "tierstack:index:TLS"
