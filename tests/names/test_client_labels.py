"""The labels by which pods are let through name one component each."""

import itertools
import re

import pytest

from tierstack.database.kubernetes import client_labels as pooler
from tierstack.database.kubernetes import direct_client_labels as server
from tierstack.redis_cluster.policies import client_labels as redis

pytestmark = pytest.mark.pure

NAMES = [
    "orders",
    "orders-direct",
    "client-of-orders",
    "orders-client",
    "pooler-client",
    "server-client",
    "redis-client",
]


def test_no_name_completes_the_label_of_another_component() -> None:
    found = [label for of, name in itertools.product([pooler, server, redis], NAMES) for label in of(name)]
    assert len(found) == len(set(found)) == 3 * len(NAMES)


def test_a_label_is_one_that_kubernetes_takes() -> None:
    for of in (pooler, server, redis):
        for label in of("a" * 49):
            name = label.partition("/")[2]
            assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name)
            assert len(name) <= 63
