"""Real name servers on loopback, each with a configuration, ports and keys of its own: BIND, Knot and PowerDNS."""

import base64
import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rdatatype
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
import pytest
import requests

from tests.waiting import free_port

ZONE = "shop.example"
KEYS = {name: base64.b64encode(hashlib.sha256(name.encode()).digest()).decode() for name in ("tierstack", "colleague")}
"""TSIG keys that both servers know, by name: ours, and another writer's."""
API_KEY = "the-api-key-of-powerdns"
SERVERS = [
    pytest.param("bind", marks=pytest.mark.needs("named")),
    pytest.param("knot", marks=pytest.mark.needs("knotd")),
]
"""The kinds of server, for a parametrized test or fixture."""

_APEX = f"""$ORIGIN {ZONE}.
$TTL 3600
@ IN SOA ns1 hostmaster 1 3600 600 604800 300
@ IN NS ns1
ns1 IN A 127.0.0.1
"""
_BIND = """
options {{
  directory "{folder}"; pid-file none; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};
}};
controls {{ }};
{keys}
zone "{zone}" {{
  type primary; file "{zone}.zone"; update-policy {{ {grants} }}; allow-transfer {{ {transfers} }};
}};
"""
_KNOT = """
server:
    rundir: "{folder}"
    listen: "127.0.0.1@{port}"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}/db"
    journal-db-max-size: 64M
    timer-db-max-size: 16M
key:
{keys}
acl:
  - id: writers
    key: [{names}]
    action: [transfer, update]
zone:
  - domain: {zone}
    storage: "{folder}"
    file: "{zone}.zone"
    acl: writers
"""

_POWERDNS = """
launch=lmdb
lmdb-filename={folder}/zones.lmdb
lmdb-shards=1
socket-dir={folder}
local-address=127.0.0.1
local-port={port}
api=yes
api-key={key}
webserver=yes
webserver-address=127.0.0.1
webserver-port={api_port}
daemon=no
guardian=no
security-poll-suffix=
"""


@dataclass
class Server:
    """A running primary of the zone, as another writer would use it."""

    kind: str
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    zone: str = ZONE
    api_port: int = 0
    """PowerDNS: where its HTTP API answers."""
    keyring: dict[object, object] = field(default_factory=lambda: dns.tsigkeyring.from_text(KEYS))

    def sets(self) -> dict[str, list[str]]:
        """All record sets of the zone except SOA: `www.shop.example A` → `["300 192.0.2.1"]`."""
        found = dns.zone.Zone(f"{self.zone}.", relativize=False)
        signed = {} if self.api_port else {"keyring": self.keyring, "keyname": dns.name.from_text("colleague")}
        query, _ = dns.xfr.make_query(found, **signed)
        dns.query.inbound_xfr("127.0.0.1", found, query, port=self.port, lifetime=10)
        return {
            f"{name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(one.rdtype)}": sorted(
                f"{one.ttl} {value.to_text()}" for value in one
            )
            for name, one in found.iterate_rdatasets()
            if one.rdtype != dns.rdatatype.SOA
        }

    def write(self, name: str, kind: str, values: Sequence[str], ttl: int = 300) -> None:
        """Set a record set as another writer, with the other key; no values delete it."""
        if self.api_port:
            self.patch({"name": f"{name}.", "type": kind, "ttl": ttl, **_change(values)})
            return
        message = dns.update.UpdateMessage(
            f"{self.zone}.", keyring=self.keyring, keyname=dns.name.from_text("colleague")
        )
        if values:
            message.replace(f"{name}.", ttl, kind, *values)
        else:
            message.delete(f"{name}.", kind)
        answer = dns.query.tcp(message, "127.0.0.1", port=self.port, timeout=10)
        assert answer.rcode() == 0, answer

    def patch(self, *changes: dict[str, object]) -> None:
        """PowerDNS: change record sets by its API."""
        url = f"http://127.0.0.1:{self.api_port}/api/v1/servers/localhost/zones/{self.zone}."
        requests.patch(url, json={"rrsets": changes}, headers={"X-API-Key": API_KEY}, timeout=10).raise_for_status()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Server]:
    """BIND (`bind`), Knot (`knot`) or PowerDNS (`powerdns`) with an empty zone."""
    program = {"bind": "named", "knot": "knotd", "powerdns": "pdns_server"}[kind]
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert path, f"{program} is not installed; mark the test with SERVERS"
    folder.mkdir()
    port = free_port()
    (folder / f"{ZONE}.zone").write_text(_APEX)
    api_port = free_port() if kind == "powerdns" else 0
    if kind == "powerdns":
        command = _powerdns(folder, port, path, api_port)
    else:
        command = _bind(folder, port, path) if kind == "bind" else _knot(folder, port, path)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    server = Server(kind, port, process, log, api_port=api_port)
    try:
        if api_port:
            _make_zone(server)
        _wait(server)
        yield server
    finally:
        server.stop()


def _bind(folder: Path, port: int, program: str) -> list[str]:
    keys = "".join(f'key "{name}" {{ algorithm hmac-sha256; secret "{key}"; }};\n' for name, key in KEYS.items())
    grants = " ".join(f"grant {name} zonesub ANY;" for name in KEYS)
    transfers = " ".join(f"key {name};" for name in KEYS)
    text = _BIND.format(folder=folder, port=port, zone=ZONE, keys=keys, grants=grants, transfers=transfers)
    (folder / "named.conf").write_text(text)
    return [program, "-g", "-n", "1", "-c", str(folder / "named.conf")]


def _knot(folder: Path, port: int, program: str) -> list[str]:
    keys = "".join(f'  - id: {name}\n    algorithm: hmac-sha256\n    secret: "{key}"\n' for name, key in KEYS.items())
    text = _KNOT.format(folder=folder, port=port, zone=ZONE, keys=keys, names=", ".join(KEYS))
    (folder / "knot.conf").write_text(text)
    (folder / "db").mkdir()
    return [program, "-c", str(folder / "knot.conf")]


def _powerdns(folder: Path, port: int, program: str, api_port: int) -> list[str]:
    text = _POWERDNS.format(folder=folder, port=port, key=API_KEY, api_port=api_port)
    (folder / "pdns.conf").write_text(text)
    return [program, f"--config-dir={folder}"]


def _make_zone(server: Server) -> None:
    """PowerDNS keeps zones in a database, not in files."""
    url = f"http://127.0.0.1:{server.api_port}/api/v1/servers/localhost/zones"
    zone = {"name": f"{server.zone}.", "kind": "Native", "nameservers": [f"ns1.{server.zone}."]}
    for _ in range(200):
        with contextlib.suppress(requests.ConnectionError):
            requests.post(url, json=zone, headers={"X-API-Key": API_KEY}, timeout=10).raise_for_status()
            server.write(f"ns1.{server.zone}", "A", ["127.0.0.1"], 3600)
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(0.05)
    pytest.fail(f"the API of PowerDNS does not answer:\n{server.log.read_text()[-3000:]}", pytrace=False)


def _change(values: Sequence[str]) -> dict[str, object]:
    if not values:
        return {"changetype": "DELETE"}
    return {"changetype": "REPLACE", "records": [{"content": one, "disabled": False} for one in values]}


def _wait(server: Server) -> None:
    """Until the zone is answered for, or the process ends."""
    question = dns.message.make_query(f"{server.zone}.", "SOA")
    for _ in range(200):
        if server.process.poll() is not None:
            break
        with contextlib.suppress(dns.exception.DNSException, OSError):
            if dns.query.tcp(question, "127.0.0.1", port=server.port, timeout=1).answer:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(0.05)
    pytest.fail(f"{server.kind} does not answer:\n{server.log.read_text()[-3000:]}", pytrace=False)


class Proxy:
    """Stands between a client and a server, and calls `after` once the server has answered the n-th update.

    When `after` says False the client never gets the answer: the server has applied what it does not know of.
    """

    def __init__(self, server: Server, after: Callable[[int], bool]) -> None:
        self._server, self._after, self._updates = server, after, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            socket.create_connection(("127.0.0.1", self._server.port)) as upstream,
            contextlib.suppress(OSError),
        ):
            # A connection carries one question, as dnspython asks.
            question = _message(client)
            upstream.sendall(question)
            if question and (question[4] >> 3) & 15 == dns.opcode.UPDATE:
                answer = _message(upstream)
                self._updates += 1
                if self._after(self._updates):
                    client.sendall(answer)
                return
            while answer := _message(upstream):  # a transfer has several
                client.sendall(answer)


def _message(connection: socket.socket) -> bytes:
    """A DNS message with the two octets of its length before it (RFC 1035 §4.2.2); empty at the end."""
    length = _exactly(connection, 2)
    return length + _exactly(connection, int.from_bytes(length)) if length else b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (more := connection.recv(count - len(found))):
        found += more
    return found
