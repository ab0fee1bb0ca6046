"""Environments of the 1M tier on simulated nodes: everything is scheduled, and the engine asks no more of the API server for
each resource where there are more. `python -m tests.cluster.scale` measures the same at any size.

TIERSTACK_SCALE: how many environments, such as 3; without it these tests are left out, because they take minutes.
"""

import os
from pathlib import Path

from devcluster.cluster import Cluster
from tests.cluster import scale

COUNT = int(os.environ.get("TIERSTACK_SCALE", "0"))
__test__ = COUNT > 0


def test_every_pod_of_every_environment_is_scheduled(own: Cluster, tmp_path: Path) -> None:
    found = scale.environments(tmp_path, COUNT)
    print(found)
    assert found["pods"]["Pending"] == 0
    assert found["pods"]["Ready"] == found["pods"]["wanted"] > 30 * COUNT
    assert set(found["second_preview"]) == {"same"}


def test_requests_grow_no_faster_than_resources(own: Cluster, tmp_path: Path) -> None:
    runs = scale.sizes(tmp_path, [scale.PER_SHOP, COUNT * scale.PER_SHOP])
    print(runs)
    few, many = ([run for run in runs if run.command == "up"][number] for number in (0, -1))
    assert many.resources > 2 * few.resources
    assert many.requests / many.resources <= 1.2 * few.requests / few.resources
    assert scale.exponents(runs)["preview"]["requests"] < 1.2
