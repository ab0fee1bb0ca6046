"""The example shop on a Docker daemon, with the stack whose releases are tested."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.projects import Checkout
from tests.release.docker.load import Counted, load
from tests.support import built, containers_of, run_command

HOST, PREFIX, STACK = "shop.localhost", "t-drv", "drv"
PER_SECOND = 100
"""Requests a second: what two cores carry beside the engine, a second version and the load itself."""

STEPS = [{"weight": 10, "pause_seconds": 15}]
"""Of a canary, before it gets all requests: few, because each is an update of the stack."""


def wrong_in_public(base: str) -> str:
    """The shop as an image that is healthy inside and answers 500 through any proxy: it does not bear its headers."""
    front = (
        "<?php if (isset($_SERVER['HTTP_X_FORWARDED_HOST'])) { http_response_code(500); exit; } require 'shop.php';\n"
    )
    lines = [
        f"FROM {base}",
        "USER root",
        "RUN cd /srv/shop/public && mv index.php shop.php",
        "COPY index.php /srv/shop/public/",
        "USER 10001:10001",
    ]
    return built(lines, {"index.php": front.encode()})


class Shop:
    """The stack of this file."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout.make(folder)

        def change(config: dict[str, Any]) -> None:
            config["docker"]["platform"]["memory_mb"] = 9000
            for one in ("backups", "dns"):
                del config[one]
            config["app"]["replicas"] = 2
            config["app"]["roles"]["worker"]["count"] = 1
            config["app"]["release"] = {
                "steps": STEPS,
                "watch_seconds": 15,
                "drain_seconds": 5,
                "analysis": {"min_requests": 100},
            }

        self.port = self.checkout.local(STACK, PREFIX, change)
        done = self.checkout.json("up", "-s", STACK, "--yes")
        self.ca: str = done["outputs"]["ca"]

    def version(self, app: str, **environment: str) -> None:
        """Write another version of the application into the configuration."""

        def change(config: dict[str, Any]) -> None:
            config["images"]["app"] = app
            config["app"]["environment"] = environment

        self.checkout.config(STACK, change)

    def release(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        return self.checkout.json("release", "-s", STACK, "--yes", *arguments, code=code)

    def status(self, code: int = 0) -> dict[str, Any]:
        return self.checkout.json("release", "status", "-s", STACK, code=code)

    def nothing_to_do(self) -> None:
        found = self.checkout.json("preview", "-s", STACK)
        assert (found["steps"], set(found["changes"])) == ([], {"same"})

    def options(self, **changed: Any) -> None:
        """Write other options of releases into the configuration, which say nothing of the version. None: without it."""

        def change(config: dict[str, Any]) -> None:
            given = config["app"]["release"] | changed
            config["app"]["release"] = {key: value for key, value in given.items() if value is not None}

        self.checkout.config(STACK, change)

    @contextmanager
    def load(self, per_second: int = PER_SECOND) -> Iterator[Counted]:
        """Constant load while the block runs. At its end each order that was acknowledged must be written exactly once,
        and no other."""
        before = self.orders()
        with load(HOST, self.port, self.ca, per_second) as counted:
            yield counted
        # An order whose answer was lost, or turned into an error, may be written or not.
        least, most = counted.orders, counted.orders + counted.failed
        assert least <= (written := self.orders() - before) <= most, f"{written} orders are written; {counted}"

    def orders(self) -> int:
        """Orders in the database."""
        psql = ["psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc"]
        return int(run_command("docker", "exec", f"{PREFIX}-db-primary", *psql, "SELECT count(*) FROM orders"))

    def share(self) -> int:
        """Percent of the requests that the state gives to the release of the configuration."""
        outputs = next(
            one["outputs"] for one in self.checkout.state(STACK)["resources"] if one["type"].endswith(":AppCluster")
        )
        found = json.loads(outputs["releases"])
        return sum(one["weight"] for one in found["releases"] if one["name"] == found["described"])

    def running(self) -> set[str]:
        """The releases that have web containers on the host, and whose scheduler runs."""
        return {
            one.labels["tierstack.dev/release"]
            for one in containers_of(PREFIX)
            if "tierstack.dev/release" in one.labels
        }
