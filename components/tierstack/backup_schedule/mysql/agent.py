"""What runs in the backup container of a MySQL: the stream of its binary logs, base backups at the right times, a
status for others, and restores.

    python3 -m tierstack.backup_schedule.mysql.agent \\
        run | prepare | backup | health | restore --to … [--time … | --gtid …] | record | drills

It needs MySQL's programs of the server's version and Python's standard library. Settings are read anew every minute, so
that a changed schedule needs no restart.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tierstack.backup_schedule import cron, keeping, metrics, status
from tierstack.backup_schedule.keeping import HELD, PREPARE_SECONDS
from tierstack.backup_schedule.mysql import copies, replay, restoring, server
from tierstack.backup_schedule.mysql.catalog import Catalog, Copy, judged, number, size
from tierstack.backup_schedule.mysql.stream import Stream
from tierstack.backup_schedule.output import publish, say

if TYPE_CHECKING:
    from tierstack.backup_schedule.shipping import Shipping

CONFIG = Path("/etc/tierstack")
CATALOG = Path("/var/lib/backups")
STATUS = CATALOG / "status.json"
"""A link to `HELD`."""
DRILLS = CATALOG / "drills.jsonl"
"""The ledger of drills, a line each."""
FAILED = Path("/tmp/backup-failed")
"""Why the last base backup failed."""
ARRIVE_SECONDS = 60
"""How long a base backup waits for the binary logs of its own duration."""
PRIVILEGES = ("BACKUP_ADMIN", "REPLICATION CLIENT", "REPLICATION SLAVE")
"""What CLONE asks of its donor, what tells where the binary logs are, and what reads them (manual, "Cloning Remote
Data", "SHOW BINARY LOGS", "mysqlbinlog")."""


def settings() -> dict[str, Any]:
    """The settings as the component wrote them."""
    return json.loads((CONFIG / "settings.json").read_text())


def run() -> None:
    """Keep the binary logs streaming, make base backups when due, and say once a minute how things are."""
    keeping.link(STATUS, HELD)
    metrics.serve(lambda: keeping.page(HELD, DRILLS, settings()["labels"]))
    state = State(Catalog(CATALOG))
    state.stream.keep()  # so that there is a history to send
    state.send()
    # The last second of the stream is brought to the disk before the container ends.
    signal.signal(signal.SIGTERM, _ended)
    try:
        keeping.watch(state.tick, state, state.stream.keep)
    finally:
        state.stream.end()


def _ended(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


class State(keeping.Backups):
    """What one minute has to know of the one before."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self.catalog = catalog
        self.stream = Stream(catalog, settings()["labels"], say)
        self.found: list[status.Backup] = []
        self.shipping: Shipping | None = None

    def send(self) -> None:
        """Begin to send what arrives to the bucket, where there is one."""
        store = settings().get("store")
        if store:
            from tierstack.backup_schedule.mysql import outgoing  # it needs boto3, which is slow to import

            self.shipping = outgoing.of_agent(store, CONFIG, self.catalog, lambda: self.found, say)
            self.shipping.start()

    def tick(self) -> list[str]:
        """One look at everything; the faults. Never raises: an agent that is gone could not say what is wrong."""
        self.collect()
        given = settings()
        self.stream.keep()
        checks, lag = self._primary()
        disk, now = keeping.disk_of(CATALOG), datetime.now(UTC)
        with contextlib.suppress(OSError):
            self._tidy(given, now)
        found, unbroken = judged(self.catalog.copies()), unbroken_since()
        self.found = found
        when = cron.parse(given["schedule"])
        ready = self.stream.running and lag is not None
        if self.job is None and ready and not disk.full and status.due(when, found, now, self.failed_at, unbroken):
            self.begin(__spec__.name)
        streamers = [{"current_state": "streaming", "write_lsn_diff_bytes": lag or 0}] if ready else []
        given_to = (when, found, now, self.since, unbroken)
        wrong = status.faults(when, checks, streamers, *given_to[1:], disk, log="binary log")
        wrong += self.shipping.faults() if self.shipping else []
        document = status.report(when, found, streamers, wrong, now, self.since, unbroken, disk)
        document["store"] = self.shipping.document() if self.shipping else None
        publish(HELD, document)
        return wrong

    def _primary(self) -> tuple[dict[str, dict[str, str]], int | None]:
        """What is wrong with the primary, the stream and the last attempt, as checks with hints; and how many bytes the
        stream is behind, where the primary answers."""
        checks: dict[str, dict[str, str]] = {"agent": {"status": "OK"}}
        lag: int | None = None
        asked_at = datetime.now(UTC)
        try:
            lag = self.stream.lag(server.log_sizes())
            if lag == 0:
                self.stream.complete(asked_at)
        except server.ServerError as error:
            checks["primary"] = {"status": "FAILED", "hint": str(error)}
        except OSError:
            pass  # a full disk has a fault of its own
        if not self.stream.running:
            checks["stream"] = {"status": "FAILED", "hint": self.stream.why()}
        for one in self.stream.wrong:
            checks["binary_logs"] = {"status": "FAILED", "hint": one}
        if FAILED.exists():
            checks["last_base_backup"] = {"status": "FAILED", "hint": FAILED.read_text().strip()}
        return checks, lag

    def _tidy(self, given: dict[str, Any], now: datetime) -> None:
        if self.job is None:
            for one in copies.tidy(self.catalog, given["retention_days"], given["least_copies"], now):
                say(f"removing {one}, which nothing needs")


def unbroken_since() -> datetime | None:
    """Since when binary logs have arrived without a gap."""
    path = CATALOG / "unbroken-since"
    return datetime.fromisoformat(path.read_text().strip()) if path.exists() else None


def backup() -> int:
    """One base backup, from nothing to a state that a restore can start from."""
    catalog = Catalog(CATALOG)

    def arrived(name: str, length: int) -> bool:
        deadline = time.monotonic() + ARRIVE_SECONDS
        while time.monotonic() < deadline:
            here = catalog.logs(catalog.history() or "")
            newest = next(reversed(here), None)
            if newest and (number(newest) > number(name) or (newest == name and size(here[name]) >= length)):
                return True
            time.sleep(0.5)
        return False

    try:
        made = copies.make(catalog, settings(), arrived)
    except (server.ServerError, copies.CopyError, OSError) as error:
        say(f"base backup failed: {error}")
        FAILED.write_text(f"{error}\n")
        return 1
    FAILED.unlink(missing_ok=True)
    say(f"base backup {made.id}: {made.size_bytes / 2**20:.1f} MiB, {made.gtids}")
    return 0


def prepare(seconds: float = PREPARE_SECONDS) -> int:
    """Before the first run: the primary answers, can be backed up, and the user may do what a backup needs."""
    try:
        said = keeping.first_answer(lambda: server.ask(_QUESTIONS), server.ServerError, seconds)
    except keeping.SilentError as error:
        print(error)
        return 1
    found = dict(line.split("\t") for line in said.splitlines())
    image = subprocess.run(["mysqld", "--no-defaults", "--version"], capture_output=True, text=True).stdout
    problems = prepare_problems(found, image)
    if settings().get("store") and find_spec("boto3") is None:
        problems.append(
            "the backup image lacks boto3, with which backups go to the bucket: add the Python package boto3"
        )
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


_QUESTIONS = """\
SELECT 'version', SUBSTRING_INDEX(VERSION(), '-', 1);
SELECT 'gtid_mode', @@GLOBAL.gtid_mode;
SELECT 'log_bin', @@GLOBAL.log_bin;
SELECT 'clone', COALESCE(MAX(PLUGIN_STATUS), 'absent') FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone';
SELECT 'user', CURRENT_USER();
SELECT PRIVILEGE_TYPE, 'granted' FROM information_schema.USER_PRIVILEGES
    WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''');
"""


def prepare_problems(found: dict[str, str], image: str) -> list[str]:
    """What forbids backups of a primary that gave these answers to `_QUESTIONS`. `image`: what the mysqld of the backup
    image says of its version."""
    problems: list[str] = []
    version = found["version"]
    if f"Ver {version}" not in image:
        problems.append(
            f"the primary is MySQL {version}, and the backup image has `{image.strip()}`: CLONE "
            "needs the same version; give an image with the programs of the server"
        )
    for name, wanted in (("gtid_mode", "ON"), ("log_bin", "1")):
        if found[name] != wanted:
            problems.append(f"{name} of the primary is {found[name]}: a restore to a moment needs GTIDs in binary logs")
    if found["clone"] != "ACTIVE":
        problems.append(
            f"the clone plugin of the primary is {found['clone'].lower()}: start it with "
            "`plugin_load_add = mysql_clone.so`"
        )
    missing = [one for one in PRIVILEGES if one not in found]
    if missing:
        user, _, host = found["user"].rpartition("@")
        account = f"{server.literal(user)}@{server.literal(host)}"
        problems.append(f"the user {account} may not make backups. As a superuser, run:")
        problems.append(f"GRANT {', '.join(missing)} ON *.* TO {account};")
    return problems


def received() -> restoring.Received:
    """What the catalog has now."""
    catalog = Catalog(CATALOG)

    def bring(copy: Copy, to: Path) -> None:
        copies.fetch(copy, to, lambda name: copies.pieces(catalog.data(copy) / name))

    return restoring.Received(catalog=catalog, bring=bring, lengths=replay.lengths(catalog))


def main() -> int:
    """One verb, its exit code."""
    verbs: keeping.Verbs = {
        "run": run,
        "prepare": prepare,
        "backup": backup,
        "health": lambda: keeping.health(HELD),
    }

    def restored(given: argparse.Namespace) -> int:
        os.umask(0o077)
        return restoring.restore(given.to, replay.Goal(given.time, given.gtid), CATALOG, received)

    return keeping.command_line(__doc__, verbs, DRILLS, restoring.arguments, restored)


if __name__ == "__main__":
    sys.exit(main())
