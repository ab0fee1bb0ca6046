"""A name server for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dns_records.servers import SERVERS, Server, running


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """BIND and Knot in turn, each with the zone as nobody has published to it."""
    with running(request.param, tmp_path / "server") as one:
        yield one
