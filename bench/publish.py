"""What publishing records costs on real name servers of this machine: `python -m bench.publish`.

Seconds for each of: looking at the host as a preview does, the first publication, one changed set, withdrawing all.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.dns_records.servers import API_KEY, KEYS, ZONE, Server, running
from tierstack.dns_records.publish.hosts import Host
from tierstack.dns_records.publish.plan import Limits
from tierstack.dns_records.records.model import RecordSet

PROGRAMS = {"bind": "named", "knot": "knotd", "powerdns": "pdns_server"}


def host(server: Server) -> Host:
    """The server as `publish` would name it."""
    if server.api_port:
        settings = {"scheme": "http", "host": "127.0.0.1", "port": server.api_port}
        return Host({"host": "powerdns", "zone": ZONE, "settings": settings}, {"api_key": API_KEY})
    settings = {"host": "127.0.0.1", "port": server.port, "key_name": "tierstack", "key_algorithm": "hmac-sha256"}
    return Host({"host": "rfc2136", "zone": ZONE, "settings": settings}, {"key_secret": KEYS["tierstack"]})


def zone(count: int) -> dict[str, RecordSet]:
    """`count` sets of one address each."""
    made = [RecordSet(f"h{n}.{ZONE}", "A", (f"192.0.2.{n % 250}",), 300) for n in range(count)]
    return {one.key: one for one in made}


def seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def measure(kind: str, count: int) -> list[float]:
    """The four times for one server and one size of zone."""
    with tempfile.TemporaryDirectory() as folder, running(kind, Path(folder) / "server") as server:
        sets, every = zone(count), Limits(max_delete_percent=100)
        changed = {**sets, f"h0.{ZONE} A": RecordSet(f"h0.{ZONE}", "A", ("198.51.100.1",), 300)}
        host(server).judge({}, {}, every)  # imports
        return [
            seconds(lambda: host(server).judge({}, sets, every)),
            seconds(lambda: host(server).publish({}, sets, every)),
            seconds(lambda: host(server).publish(sets, changed, every)),
            seconds(lambda: host(server).publish(changed, {}, every)),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, nargs="+", default=[12, 1000], help="sizes of zones")
    sizes: list[int] = parser.parse_args().sets
    print(f"{'server':<10}{'sets':>6}{'look':>9}{'publish':>9}{'change':>9}{'withdraw':>9}   s")
    for kind, count in ((kind, count) for kind in PROGRAMS for count in sizes):
        if shutil.which(PROGRAMS[kind], path="/usr/sbin:/sbin:/usr/bin:/usr/local/bin") is None:
            continue
        print(f"{kind:<10}{count:>6}" + "".join(f"{one:>9.3f}" for one in measure(kind, count)), flush=True)


if __name__ == "__main__":
    main()
