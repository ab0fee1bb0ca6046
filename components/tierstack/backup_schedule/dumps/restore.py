"""The commands of a restore of a dump, as data: for the `tierstack` command and for drills. Pure."""

from dataclasses import dataclass

from tierstack.backup_schedule.dumps import agent, fetch
from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.engine import CONFINED, WITHOUT_RIGHTS, Step, step_in, unprivileged, variables
from tierstack.backup_schedule.restic import repository
from tierstack.links import DatabaseEngine
from tierstack.platform.internal_ca import ca_directory

FETCH, RESTORE = "bring the dump", "restore it"
"""The step that tells how much is there; the one that may end with errors, and leaves a database nevertheless."""
TARGET = "/restore"
"""Where the volume is mounted: at the same place while it is filled and while the server answers from it."""
_ENVIRONMENT = variables({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{repository.CONFIG}/lib", "TZ": "UTC"})
_AGENT = ["python3", "-m", agent.__name__]
_FETCH = ["python3", "-m", fetch.__name__]
_DUMP = f"{TARGET}/{fetch.NAME}"


@dataclass(frozen=True, kw_only=True)
class _Server:
    """How a server is started on an empty volume, and takes a dump."""

    start: str
    """Script that makes the files where there are none, and starts the server. `data` is their directory."""
    ready: str
    """Script that succeeds once the server answers."""
    make: str
    """Script that makes the database `$1`."""
    load: str
    """Script that restores into the database `$1`."""


_POSTGRESQL = _Server(
    # As the component makes its servers: the built-in locale sorts alike under every C library.
    start="""\
set -eu
umask 077
export LC_ALL=C PGDATA=/restore/data
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" --username=postgres --auth=trust --encoding=UTF8 --locale=C \\
        --locale-provider=builtin --builtin-locale=C.UTF-8 >/dev/null
fi
exec postgres -c listen_addresses= -c unix_socket_directories=/tmp -c wal_level=minimal -c max_wal_senders=0 \\
    -c max_wal_size=4GB -c maintenance_work_mem=256MB -c synchronous_commit=off""",
    ready='psql -h /tmp -U postgres -d postgres -qAtc "SELECT 1"',
    make='createdb -h /tmp -U postgres "$1"',
    # Its owner and who may read it are roles of the server that was dumped; here is none of them.
    load='pg_restore -h /tmp -U postgres -d "$1" --no-owner --no-privileges '
    f"--use-list={TARGET}/{fetch.SELECTION} {_DUMP}",
)
_MYSQL = _Server(
    start="""\
set -eu
umask 077
data=/restore/data
common="--no-defaults --datadir=$data --skip-log-bin --loose-innodb-numa-interleave=OFF"
if [ ! -s "$data/mysql.ibd" ]; then
    mysqld $common --initialize-insecure
fi
exec mysqld $common --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid --skip-networking --mysqlx=OFF \\
    --event-scheduler=OFF --secure-file-priv=NULL --max-allowed-packet=1G --innodb-buffer-pool-size=256M \\
    --innodb-flush-log-at-trx-commit=2 --innodb-redo-log-capacity=512M""",
    ready="mysql --no-defaults --socket=/tmp/mysqld.sock --user=root --execute='SELECT 1'",
    make="mysql --no-defaults --socket=/tmp/mysqld.sock --user=root "
    '--execute="CREATE DATABASE \\`$1\\` CHARACTER SET utf8mb4"',
    load="mysql --no-defaults --socket=/tmp/mysqld.sock --user=root --max-allowed-packet=1G "
    f'--default-character-set=utf8mb4 "$1" <{_DUMP}',
)
_SERVERS = {DatabaseEngine.POSTGRESQL.value: _POSTGRESQL, DatabaseEngine.MYSQL.value: _MYSQL}


def ledger_of(at: DumpsOnDocker) -> list[str]:
    """The command that runs the agent on its ledger alone; its verb follows."""
    mounts = ["-v", f"{at.catalog}:{repository.CATALOG}"]
    return ["docker", "run", "--rm", "-i", *unprivileged(at.user), *CONFINED, *_program(at), *mounts, at.image, *_AGENT]


def listing(at: DumpsOnDocker) -> list[str]:
    """The command that prints the dumps that there are."""
    return ["docker", "run", "--rm", *unprivileged(at.user), *_reading(at), at.image, *_FETCH, "list"]


def aside_commands(
    at: DumpsOnDocker, *, aside: str, server_image: str, dump: str, tables: tuple[str, ...] = ()
) -> list[Step]:
    """The commands that restore a dump, or some of its tables, into a new volume and a server of their own, which
    nobody reaches over a network. The running database is not touched."""
    server, mounted = _SERVERS[at.engine], ["-v", f"{aside}:{TARGET}"]
    answers = f"until {server.ready} >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 600 ] || exit 1; sleep 0.5; done"
    owner = [*step_in(aside), "--user", "0:0", *CONFINED, "--cap-add", "CHOWN", *mounted, at.image]
    chosen = [part for name in tables for part in ("--table", name)]
    fetched = [*step_in(aside), *unprivileged(at.user), *_reading(at), *mounted, at.image, *_FETCH]
    inside = ["docker", "exec", aside]
    running = ["docker", "run", "--detach", "--name", aside, *unprivileged(at.user), *CONFINED, *mounted, server_image]
    return [
        Step("make a new volume", ["docker", "volume", "create", aside]),
        # A new volume belongs to root.
        Step("give it to the server", [*owner, "chown", at.user, TARGET]),
        Step(FETCH, [*fetched, "get", "--dump", dump, "--to", TARGET, *chosen]),
        Step("start a server on it, without a network", [*running, "sh", "-c", server.start]),
        Step("wait until it answers", [*inside, "sh", "-c", f"i=0; {answers}"]),
        Step("make the database", [*inside, "sh", "-c", server.make, "sh", at.database]),
        Step(RESTORE, [*inside, "sh", "-c", server.load, "sh", at.database]),
    ]


def summary(aside: str) -> list[str]:
    """The command that prints what was found in the dump."""
    return ["docker", "exec", aside, "cat", f"{TARGET}/{fetch.SUMMARY}"]


def tidy(aside: str) -> list[str]:
    """The command that removes the dump beside the database that came out of it."""
    return ["docker", "exec", aside, "rm", "-f", _DUMP]


def _program(at: DumpsOnDocker) -> list[str]:
    return [*_ENVIRONMENT, "-v", f"{at.config}:{repository.CONFIG}:ro"]


def _reading(at: DumpsOnDocker) -> list[str]:
    """A container that reads the repository: a bucket by its network, with a key that only reads, or the volume."""
    if at.network is None:
        return [*CONFINED, *_program(at), "-v", f"{at.catalog}:{repository.CATALOG}:ro"]
    ca = ["-v", f"{at.ca}:{ca_directory('store')}:ro"] if at.ca else []
    return ["--network", at.network, *WITHOUT_RIGHTS, *_program(at), *ca]
