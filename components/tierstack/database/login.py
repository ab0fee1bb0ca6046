"""The login that proves an update on a Docker host, as a shell script. Pure.

A failed try says little by itself: on a host that does other work, a server may need minutes for what takes it a second
alone, and what fails at once fails many times a second. So tries are not counted. The script goes on until a login
works, until the same refusal has stood for a while, or until the time is over in which a server may recover.
"""

from collections.abc import Sequence
from dataclasses import dataclass

REFUSED_SECONDS = 60
"""How long one and the same refusal is tried again: servers and poolers read changed users and certificates within
seconds, on a busy host within a minute, and waiting for longer mends no password."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """How the client of an engine logs in."""

    program: str
    """The program with what names the server, in shell: `psql "$1"`. `$1` is the target, and holds no password."""
    query: str
    """Its arguments that ask one thing, and never for a password."""
    refusals: tuple[str, ...]
    """What it says where somebody answered, and the answer is no. Everything else is no answer: no name, no connection,
    a timeout, a server that starts, a pooler without a server."""


_SCRIPT = """\
begun=$(date +%s) since=$begun tries=0 before= silent=
while :; do
    tries=$((tries + 1))
    said=$(PROGRAM QUERY 2>&1) && exit
    now=$(date +%s)
    case $said in
    REFUSALS) [ "$said" = "$before" ] || since=$now ;;
    *) since=$now ;;
    esac
    before=$said
    [ $((now - since)) -lt "$3" ] || break
    [ $((now - begun)) -lt "$2" ] || { silent=yes; break; }
    sleep 1
done
echo "$tries logins in $((now - begun)) s, and none worked: SHOWN. The last answer:"
echo "$said"
if [ "$silent" ]; then
    echo "The servers do not answer yet, or the host is too busy. See what they wait for with $4."
else
    echo "The same refusal for $((now - since)) s. See what the servers say of it with $4."
fi
echo "Then update again: what was made is kept."
exit 2
"""


def command(client: Client, target: str, containers: Sequence[str], seconds: int) -> list[str]:
    """The command that logs in to `target`.

    `containers`: those whose logs a reader is sent to. `seconds`: how long no answer is no verdict.
    """
    logs = ", ".join(f"`docker logs {name}`" for name in containers)
    return ["/bin/sh", "-c", script(client), "login", target, str(seconds), str(REFUSED_SECONDS), logs]


def script(client: Client) -> str:
    """Arguments: target, seconds without an answer, seconds of one refusal, what shows the logs."""
    refusals = "|".join(f'*"{text}"*' for text in client.refusals)
    shown = client.program.replace('"', '\\"')
    filled = _SCRIPT.replace("REFUSALS", refusals).replace("SHOWN", shown)
    return filled.replace("PROGRAM", client.program).replace("QUERY", client.query)
