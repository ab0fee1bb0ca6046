"""MySQL's own programs: questions to the primary, and servers of the agent's own that nobody else reaches.

The agent in the container runs this very file. It imports the standard library only. Passwords reach programs by option
files and standard input: neither is in a list of processes.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

CLIENT = Path("/etc/tierstack/client.cnf")
"""Host, port, user, password and how the primary is verified (manual, "Using Option Files")."""
ROOT = "root"
START_SECONDS = 3600
"""How long a server may recover before an attempt is given up."""
STOP_SECONDS = 600
FACTS = ("lower_case_table_names", "innodb_page_size", "innodb_data_file_path")
"""Settings that are built into the files of a server."""
KEYLESS = {
    "auto-generate-certs": "OFF",
    "sha256-password-auto-generate-rsa-keys": "OFF",
    "caching-sha2-password-auto-generate-rsa-keys": "OFF",
}
"""A server that is asked by its socket alone makes no keys: they take seconds, and would lie beside the data."""
ALIKE = ("character_set_server", "collation_server")
"""Settings in which a copy by CLONE asks for the same on both sides (manual, "Cloning Remote Data")."""


class ServerError(Exception):
    """A server refused, ended or did not answer; the message is its own."""


def ask(statements: str, *, to: Sequence[str] = (f"--defaults-file={CLIENT}",), timeout: float | None = 60) -> str:
    """What MySQL answers, a line for each row, with tabs between the values. Raises ServerError."""
    command = ["mysql", *to, "--batch", "--skip-column-names", "--raw"]
    try:
        done = subprocess.run(command, input=statements, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise ServerError(f"no answer within {timeout:g} s") from None
    if done.returncode:
        raise ServerError(done.stderr.strip() or f"mysql ended with code {done.returncode}")
    return done.stdout


def primary_facts() -> dict[str, str]:
    """Settings of the primary that its copies need, and what it is: server_uuid, version."""
    names = ["server_uuid", "version", *FACTS, *ALIKE]
    row = ask(f"SELECT {', '.join(f'@@GLOBAL.{name}' for name in names)}").rstrip("\n").split("\t")
    found = dict(zip(names, row, strict=True))
    libraries = ask(
        "SELECT DISTINCT PLUGIN_LIBRARY FROM information_schema.PLUGINS"
        " WHERE PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_LIBRARY IS NOT NULL ORDER BY 1"
    )
    return {**found, "plugin_load_add": ";".join(libraries.split())}


def log_position() -> tuple[str, int]:
    """Name and length of the binary log that the primary writes now."""
    name, position = ask("SHOW BINARY LOG STATUS").split("\t")[:2]
    return name, int(position)


def log_sizes() -> dict[str, int]:
    """The binary logs that the primary still has, the oldest first, and their lengths."""
    rows = (line.split("\t") for line in ask("SHOW BINARY LOGS").splitlines())
    return {row[0]: int(row[1]) for row in rows}


def executed() -> str:
    """The transactions that the primary has."""
    return ask("SELECT @@GLOBAL.gtid_executed")


def settings_of(facts: Mapping[str, str]) -> dict[str, str]:
    """The settings for a server on the files of another, by the facts of that."""
    return {name: facts[name] for name in (*FACTS, *ALIKE, "plugin_load_add")}


def options(data: Path, work: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The options of a server that only its own user reaches, by a socket in memory; it makes no binary log, runs no
    events, and takes little memory."""
    return {
        **settings,
        "datadir": str(data),
        "socket": f"/tmp/{work.name}.sock",
        "pid-file": f"/tmp/{work.name}.pid",
        "tmpdir": str(work),
        "skip-networking": "ON",
        "mysqlx": "OFF",
        **KEYLESS,
        "skip-log-bin": "ON",
        "gtid-mode": "ON",
        "enforce-gtid-consistency": "ON",
        # No event of the primary has it: a server leaves out its own.
        "server-id": "4294967295",
        "skip-replica-start": "ON",
        "event-scheduler": "OFF",
        "secure-file-priv": "NULL",
        "log-error-verbosity": "2",
        "loose-innodb-numa-interleave": "OFF",
        "max-connections": "10",
        "table-open-cache": "200",
        "table-definition-cache": "400",
        "innodb-buffer-pool-size": "128M",
        # A copy keeps an empty log of this size.
        "innodb-redo-log-capacity": "8M",
    }


class Private:
    """A server for as long as the block lasts; at its end it is shut down cleanly.

    Raises ServerError where it does not start, with the end of what it logged.
    """

    def __init__(self, data: Path, work: Path, settings: Mapping[str, str]) -> None:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._options = options(data, work, settings)
        self._log = work / "error.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Private":
        command = ["mysqld", "--no-defaults", *(f"--{name}={value}" for name, value in self._options.items())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._await_answer(self._process)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            code = None
        if code and kind is None:
            raise ServerError(f"mysqld ended with code {code}: {self.logged()}")

    def ask(self, statements: str, timeout: float | None = None) -> str:
        """What it answers. Raises ServerError."""
        return ask(statements, to=self._to, timeout=timeout)

    def logged(self) -> str:
        """The errors that it logged, else the end of its log."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        errors = [line for line in lines if "[ERROR]" in line]
        return " ".join((errors or lines)[-3:])

    @property
    def _to(self) -> list[str]:
        return ["--no-defaults", f"--socket={self._options['socket']}", f"--user={ROOT}"]

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None:
                raise ServerError(f"mysqld ended with code {process.returncode}: {self.logged()}")
            try:
                self.ask("SELECT 1", timeout=10)
                return
            except ServerError as error:
                # One that answers and refuses is up, and refuses for good.
                if "Access denied" in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    def _kill(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def initialize(data: Path, work: Path, settings: Mapping[str, str]) -> None:
    """Make the files of an empty server, whose root has no password. Raises ServerError."""
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = {**KEYLESS, **{name: settings[name] for name in (*FACTS, *ALIKE)}}
    command = ["mysqld", "--no-defaults", "--initialize-insecure", f"--datadir={data}", f"--tmpdir={work}"]
    command += ["--skip-log-bin", "--innodb-redo-log-capacity=8M", "--loose-innodb-numa-interleave=OFF"]
    done = subprocess.run(
        [*command, *(f"--{name}={value}" for name, value in given.items())], capture_output=True, text=True
    )
    if done.returncode:
        raise ServerError(f"mysqld made no files: {' '.join(done.stderr.splitlines()[-3:])}")


def checksums(data: Path) -> list[str]:
    """What `innochecksum` finds wrong with the pages of InnoDB's files; nothing where the image has no such program."""
    if shutil.which("innochecksum") is None:
        return []
    wrong: list[str] = []
    for path in sorted([*data.rglob("*.ibd"), *data.glob("ibdata*"), *data.glob("undo_*")]):
        done = subprocess.run(["innochecksum", str(path)], capture_output=True, text=True)
        if done.returncode:
            wrong.append(f"{path.relative_to(data)}: {(done.stderr or done.stdout).strip()}")
    return wrong


def password(text: str | None = None) -> str:
    """The password in the option file. `text`: its content, where that is known."""
    for line in (CLIENT.read_text() if text is None else text).splitlines():
        if line.startswith("password="):
            return unquoted(line.removeprefix("password="))
    return ""


def quoted(value: str) -> str:
    """A value of an option file (manual, "Using Option Files": `\\\\` and `\\"` inside of quotes)."""
    return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))


def unquoted(value: str) -> str:
    """The value that was `quoted`."""
    return re.sub(r"\\(.)", r"\1", value[1:-1])


def literal(value: str) -> str:
    """A string in a statement."""
    return "'{}'".format(value.replace("\\", "\\\\").replace("'", "''"))


def removed(path: Path) -> None:
    """Take a file or directory away, where it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
