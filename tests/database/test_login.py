"""The client that proves the way to the database: when it goes on, when it gives up, and what it says then.

The clients, `date` and `sleep` are stand-ins with a clock of their own, so minutes pass in no time.
"""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tierstack.database import login
from tierstack.database.docker import LOGIN_SECONDS
from tierstack.database.mysql.login import CLIENT_FILE, MYSQL_CLIENT
from tierstack.database.postgresql.login import PSQL

TIMEOUT = 'psql: error: connection to server at "db" failed: timeout expired'
STARTING = "psql: error: FATAL:  the database system is starting up"
WAITED = "psql: error: FATAL:  query_wait_timeout"
UNKNOWN = 'psql: error: could not translate host name "db" to address'
PASSWORD = 'psql: error: FATAL:  password authentication failed for user "app"'
DENIED = "ERROR 1045 (28000): Access denied for user 'app'"
PLAINTEXT = "ERROR 3159 (HY000): Connections using insecure transport are prohibited"
LOST = "ERROR 2013 (HY000): Lost connection to MySQL server"
CERTIFICATE = "psql: error: SSL error: certificate verify failed"

pytestmark = pytest.mark.pure


@dataclass
class Run:
    code: int
    said: str
    tries: int
    seconds: int


ASKED = {
    "psql": "host=db user=app -Xqwtc SELECT 1",
    "mysql": f"--defaults-file={CLIENT_FILE} --host=host=db user=app --batch --skip-column-names --execute=SELECT 1",
}


def run(tmp_path: Path, answers: list[tuple[str, int]], client: login.Client = PSQL) -> Run:
    """Log in where each try has the next of `answers` (what is said, empty for success, and the seconds that it takes),
    the last one again and again."""
    clock, tries = tmp_path / "clock", tmp_path / "tries"
    clock.write_text("1000")
    for number, (said, seconds) in enumerate(answers, 1):
        (tmp_path / f"answer-{number}").write_text(f"said={shlex.quote(said)} seconds={seconds}")
    called = client.program.split()[0]
    programs = {
        called: f"""\
echo "$*" >>{tries}
number=$(wc -l <{tries})
[ "$number" -le {len(answers)} ] || number={len(answers)}
. {tmp_path}/answer-$((number))
echo $(($(cat {clock}) + seconds)) >{clock}
[ "$said" ] || exit 0
echo "$said" >&2
exit 2
""",
        "date": f"cat {clock}\n",
        "sleep": f"echo $(($(cat {clock}) + $1)) >{clock}\n",
    }
    for name, text in programs.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}")
        program.chmod(0o755)
    done = subprocess.run(
        login.command(client, "host=db user=app", ["shop-db-pooler", "shop-db-primary"], LOGIN_SECONDS),
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    asked = tries.read_text().splitlines()
    assert set(asked) == {ASKED[called]}
    return Run(done.returncode, done.stdout, len(asked), int(clock.read_text()) - 1000)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [(UNKNOWN, 0)] * 20,
        [(STARTING, 5)] * 60,
        [(TIMEOUT, 30), (WAITED, 30)] * 9,
        [(PASSWORD, 0)] * 20,
        [(PASSWORD, 1)] * 20 + [(STARTING, 0)] + [(PASSWORD, 1)] * 20,
    ],
    ids=["at once", "no name yet", "a long recovery", "a busy host", "users not read yet", "refused in between"],
)
def test_it_goes_on_while_that_may_help(tmp_path: Path, before: list[tuple[str, int]]) -> None:
    done = run(tmp_path, [*before, ("", 1)])
    assert (done.code, done.said, done.tries) == (0, "", len(before) + 1)


@pytest.mark.parametrize("answer", [TIMEOUT, WAITED, STARTING, UNKNOWN])
@pytest.mark.parametrize("takes", [9, 30])
def test_no_answer_is_waited_for_as_long_as_a_recovery_may_take(tmp_path: Path, answer: str, takes: int) -> None:
    done = run(tmp_path, [(answer, takes)])
    assert done.code == 2
    assert LOGIN_SECONDS <= done.seconds <= LOGIN_SECONDS + 31
    assert done.said.splitlines() == [
        f'{done.tries} logins in {done.seconds} s, and none worked: psql "host=db user=app". The last answer:',
        answer,
        "The servers do not answer yet, or the host is too busy. See what they wait for with "
        "`docker logs shop-db-pooler`, `docker logs shop-db-primary`.",
        "Then update again: what was made is kept.",
    ]


@pytest.mark.parametrize(
    ("client", "answer"),
    [(PSQL, PASSWORD), (PSQL, CERTIFICATE), (MYSQL_CLIENT, DENIED), (MYSQL_CLIENT, PLAINTEXT)],
)
def test_a_refusal_that_stays_the_same_is_told_soon(tmp_path: Path, client: login.Client, answer: str) -> None:
    done = run(tmp_path, [(TIMEOUT, 30), (answer, 0)], client)
    assert done.code == 2
    assert done.seconds == 31 + login.REFUSED_SECONDS
    assert answer in done.said
    assert f"The same refusal for {login.REFUSED_SECONDS} s. See what the servers say of it with `docker" in done.said


def test_a_proxy_without_a_server_is_no_refusal(tmp_path: Path) -> None:
    done = run(tmp_path, [(LOST, 30)] * 5 + [("", 1)], MYSQL_CLIENT)
    assert (done.code, done.tries) == (0, 6)
