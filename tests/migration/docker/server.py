"""A server that the statements of the cases are run on, and which of them are."""

import time
from typing import Any

from tests.migration.cases import Case, cases
from tests.support import docker_client, image
from tierstack.migration.lexer import Engine

HEAVY = frozenset({"index", "foreign-key", "check", "unique", "rewrite", "set-not-null", "type-change"})
"""Rules that say of a statement that it reads or writes all rows while writes wait."""


class Server:
    """A server in a container of its own."""

    def __init__(self, name: str, of: str, script: str, user: str) -> None:
        client = docker_client()
        self.container: Any = client.containers.run(
            image(of), entrypoint=["sh", "-c", script], name=name, user=user, detach=True, network_mode="none",
            tmpfs={"/data": "rw,size=1500m,mode=0777", "/tmp": "rw,size=200m,mode=1777"}, mem_limit="1500m",
        )  # fmt: skip

    def until(self, command: list[str]) -> None:
        limit = time.monotonic() + 600  # machines under load take minutes for MySQL
        while self.container.exec_run(command).exit_code:
            self.container.reload()
            assert self.container.status == "running", self.container.logs().decode()[-2000:]
            assert time.monotonic() < limit, "the server does not start"
            time.sleep(0.3)  # between two questions

    def ask(self, command: list[str], sql: str) -> tuple[int, str]:
        """Exit code and output of a client that gets `sql` as an argument."""
        done = self.container.exec_run([*command, sql])
        return done.exit_code, done.output.decode(errors="replace").strip()


def checked(engine: Engine) -> list[Case]:
    return [
        one for one in cases(engine) if one.server.get("skip") != "all" and one.sql not in one.server.get("skip", [])
    ]
