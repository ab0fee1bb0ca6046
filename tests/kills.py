"""`tierstack up` killed at random moments, and what the next one makes of it; for a Docker host and for a cluster alike.

TIERSTACK_KILLS: how many times, default 4. TIERSTACK_SEED: other moments, default 1.
"""

import json
import os
import random
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tests.projects import Checkout, kill, session

KILLS = int(os.environ.get("TIERSTACK_KILLS", "4"))
SEED = int(os.environ.get("TIERSTACK_SEED", "1"))


class Kills:
    """Runs of the command on one stack: killed ones, and what the next ones find."""

    def __init__(self, checkout: Checkout, stack: str, check: Callable[[dict[str, Any]], None]) -> None:
        """`check` looks at what is there after each run, given the state; it fails the test."""
        self.checkout, self.stack, self._check = checkout, stack, check
        self.moments = random.Random(SEED)
        self.lengths: dict[str, float] = {}
        self.seen: list[dict[str, Any]] = []

    def kill_and_go_on(self, what: str, guess: float, before_next: Callable[[], None] | None = None) -> None:
        """Kill an `up` at a random moment of its length; the next one must bring everything in order.

        `what`: runs of one name are about as long as each other; `guess`: seconds that the first of them may take.
        """
        moment = self.moments.uniform(0.3, self.lengths.get(what, guess))
        # As by a power cut, or the engine alone: its plugins then live on beside the next run.
        plugins = self.moments.random() < 0.5
        process = self.checkout.start("up", "-s", self.stack, "--json", quiet=True)
        finished = True
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            finished = False
            kill(process, plugins=plugins)
        if before_next:
            before_next()
        started = time.monotonic()
        said = self.checkout.json("up", "-s", self.stack)
        seconds = time.monotonic() - started
        left = len(session(process.pid))
        kill(process)
        if finished or what not in self.lengths:
            self.lengths[what] = max(self.lengths.get(what, 0), moment if finished else moment + seconds / 2)
        found = [
            f"{one['operation']} {one['urn'].rpartition('::')[2]}: {one['then']}" for one in said.get("interrupted", [])
        ]
        entry = {"what": what, "after_s": round(moment, 1), "finished": finished, "taken_back": before_next is not None}
        self.seen.append({**entry, "plugins_left": left, "under_way": found, "next_up_s": round(seconds, 1)})
        print(json.dumps(self.seen[-1]), flush=True)
        # What there is, is what the state says and what the program wants: no drift, nothing made twice.
        self.checkout.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", self.stack)
        state = self.checkout.state(self.stack)
        assert not state.get("pending_operations")
        urns = [one["urn"] for one in state["resources"]]
        assert len(urns) == len({*urns})
        self._check(state)

    def changes(self, count: int, one: Callable[[], None], other: Callable[[], None], guess: float) -> None:
        """Kill `count` runs while the configuration `one`, which is there, becomes `other` and back; every third time
        the interrupted change is taken back instead of finished."""
        for number in range(count):
            other()
            if number % 3 == 2:
                self.kill_and_go_on("change", guess, before_next=one)
            else:
                self.kill_and_go_on("change", guess)
                one, other = other, one

    def report(self) -> None:
        """The figures, for docs/measurements.md."""
        killed = [entry for entry in self.seen if not entry["finished"]]
        assert killed, "no run was interrupted"
        under_way = [entry for entry in killed if entry["under_way"]]
        seconds = sorted(entry["next_up_s"] for entry in killed)
        print(
            f"{len(self.seen)} runs, {len(killed)} killed, all converged; {len(under_way)} with operations under way "
            f"({sum(len(entry['under_way']) for entry in under_way)}); next up {seconds[0]} to {seconds[-1]} s"
        )
