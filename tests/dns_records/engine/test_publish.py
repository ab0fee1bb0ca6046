"""A stack that publishes to real servers through the real engine: preview, update, drift, refusals, kills, destroy."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.dns_records.servers import KEYS, SERVERS, ZONE, Proxy, Server
from tests.support import Stack

APEX = {f"{ZONE} NS", f"ns1.{ZONE} A"}
"""What the zone holds before anybody publishes."""
PROGRAM = """
import pulumi
from tierstack.dns_records import *

key = pulumi.Config().require_secret("key")
DNSRecords("dns", DNSRecordsArgs(
    domain="{zone}",
    web=[WebHostArgs(ipv4=["{ip}"]), {hosts}],
    publish=PublishArgs(
        rfc2136=Rfc2136Args(server="127.0.0.1", port={port}, key_name="tierstack", key_secret=key),
        {flags}
    ),
))
"""
BIND, KNOT = SERVERS
KILLED = [pytest.param(*kind.values, when, marks=kind.marks) for kind, when in ((BIND, "create"), (KNOT, "update"))]
WWW = 'WebHostArgs(host="www", alias="@")'


def on(kind: str) -> pytest.MarkDecorator:
    """One server is enough where the engine is what is shown: `test_hosts` and `test_zone_resource` show the same on both."""
    return pytest.mark.parametrize("server", [BIND if kind == "bind" else KNOT], indirect=True)


def program(server: Server, ip: str = "198.51.100.1", hosts: str = WWW, flags: str = "", port: int = 0) -> str:
    return PROGRAM.format(zone=ZONE, ip=ip, hosts=hosts, flags=flags, port=port or server.port)


def stack_of(folder: Path, text: str) -> Stack:
    folder.mkdir()
    stack = Stack(folder)
    stack.write(text)
    stack.run("config", "set", "--secret", "key", KEYS["tierstack"])
    return stack


def refusal(stack: Stack) -> str:
    """What a preview says that fails."""
    done = stack.run("preview", "--stack=test", check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def everything(stack: Stack) -> str:
    """All that the engine has written: the state, its history and copies, the configuration."""
    return "\n".join(file.read_text(errors="replace") for file in stack.folder.rglob("*") if file.is_file())


@on("knot")
def test_from_the_first_preview_to_the_end(server: Server, tmp_path: Path) -> None:
    server.write(f"theirs.{ZONE}", "A", ["203.0.113.1"])
    stack = stack_of(tmp_path / "stack", program(server))
    said = [stack.up()]
    ours = {f"{name}{ZONE} {kind}" for name, kind in (("", "A"), ("", "MX"), ("", "TXT"), ("_dmarc.", "TXT"))}
    assert set(server.sets()) == {*APEX, f"theirs.{ZONE} A", *ours, f"www.{ZONE} CNAME"}
    stack.preview("--expect-no-changes", "--refresh")

    # The preview shows the one record that changes.
    stack.write(program(server, "198.51.100.2"))
    said.append(stack.preview())
    assert '~ [0]: "3600 198.51.100.1" => "3600 198.51.100.2"' in said[-1]
    assert said[-1].count(" => ") == 1
    assert server.sets()[f"{ZONE} A"] == ["3600 198.51.100.1"], "a preview changes nothing"

    # Another writer was there: refused at preview, shown by refresh, then put right.
    server.write(f"{ZONE}", "A", ["203.0.113.66"])
    said.append(refusal(stack))
    assert "was changed at the DNS host by another writer" in said[-1]
    said.append(stack.run("refresh", "--yes", "--diff", "--skip-preview", "--stack=test").stdout)
    assert '~ [0]: "3600 198.51.100.1" => "300 203.0.113.66"' in said[-1]
    said.append(stack.up("--diff"))
    assert '~ [0]: "300 203.0.113.66" => "3600 198.51.100.2"' in said[-1]
    assert server.sets()[f"{ZONE} A"] == ["3600 198.51.100.2"]

    # A destroy needs the protection to be taken off first, and then takes nothing of others.
    held = stack.run("destroy", "--yes", "--skip-preview", "--stack=test", check=False)
    assert held.returncode != 0
    assert "because it is protected" in held.stdout
    stack.run("state", "unprotect", "--all", "--yes", "--stack=test")
    stack.destroy()
    assert set(server.sets()) == {*APEX, f"theirs.{ZONE} A"}
    assert KEYS["tierstack"] not in everything(stack) + "".join(said), "the key stands nowhere in plaintext"


@on("bind")
def test_what_needs_a_flag_is_refused_at_preview(server: Server, tmp_path: Path) -> None:
    hosts = ", ".join(f'WebHostArgs(host="h{n}", ipv4=["198.51.100.1"])' for n in range(4))
    stack = stack_of(tmp_path / "stack", program(server, hosts=hosts))
    stack.up()
    before = server.sets()
    server.write(f"www.{ZONE}", "A", ["203.0.113.1"])
    # One host of others in the way, and four of eight sets gone.
    stack.write(program(server, hosts='WebHostArgs(host="www", ipv4=["198.51.100.7"])'))
    refused = refusal(stack)
    assert "would delete 4 of 8 record sets (50 %)" in refused
    assert f"www.{ZONE} A = ['300 203.0.113.1']: is at the DNS host already" in refused
    assert server.sets() == {**before, f"www.{ZONE} A": ["300 203.0.113.1"]}
    flags = f'adopt=["www.{ZONE} A"], max_delete_percent=50'
    stack.write(program(server, hosts='WebHostArgs(host="www", ipv4=["198.51.100.7"])', flags=flags))
    stack.up()
    assert server.sets()[f"www.{ZONE} A"] == ["3600 198.51.100.7"]
    assert not [key for key in server.sets() if key.startswith("h")]


@on("knot")
def test_two_stacks_share_a_zone(server: Server, tmp_path: Path) -> None:
    shop = stack_of(tmp_path / "shop", program(server, flags="data_protection='none'"))
    shop.up()
    blog = stack_of(tmp_path / "blog", program(server, "203.0.113.9", flags="data_protection='none'"))
    refused = blog.up(check=False)
    assert f"{ZONE} A = ['3600 198.51.100.1']: is at the DNS host already, not by this stack" in refused
    below = PROGRAM.replace('domain="{zone}"', 'domain="blog.{zone}"')
    blog.write(
        below.format(
            zone=ZONE, ip="203.0.113.9", hosts=WWW, port=server.port, flags=f'zone="{ZONE}", data_protection="none"'
        )
    )
    before = server.sets()
    blog.up()
    assert server.sets()[f"blog.{ZONE} A"] == ["3600 203.0.113.9"]
    blog.destroy()
    assert server.sets() == before, "the other stack's records stay"


@pytest.mark.parametrize(("server", "when"), KILLED, indirect=["server"])
def test_an_update_that_is_killed_is_completed_by_the_next(server: Server, tmp_path: Path, when: str) -> None:
    # 120 sets of 700 octets need two messages, and the engine is killed after the first.
    hosts = (
        f"{WWW}], records=[DnsRecordArgs(name=f'h{{n}}', type='TXT', values=[str(n) + 'x' * 700]) for n in range(120)"
    )
    stack = stack_of(tmp_path / "stack", program(server))
    if when == "update":
        stack.up()
    running_now: list[subprocess.Popen[bytes]] = []

    def kill(_: int) -> bool:
        _kill_tree(running_now[0].pid)
        return False

    with Proxy(server, kill) as proxy:
        stack.write(program(server, hosts=hosts, port=proxy.port))
        running_now.append(stack.start("up", "--yes", "--skip-preview"))
        assert running_now[0].wait(300) != 0
    half = [key for key in server.sets() if key.startswith("h")]
    assert 0 < len(half) < 120, "half-applied"
    stack.run("cancel", "--yes", "test")
    stack.write(program(server, hosts=hosts))
    stack.up()
    assert len([key for key in server.sets() if key.startswith("h")]) == 120
    stack.preview("--expect-no-changes", "--refresh")


def _kill_tree(pid: int) -> None:
    """Kill the engine and all that it started, as a machine that loses power does."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    doomed = [pid]
    for one in doomed:
        doomed += children.get(one, [])
    for one in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@on("bind")
def test_a_switch_is_prepared_and_what_was_noted_is_remembered(server: Server, tmp_path: Path) -> None:
    switch = (
        'WebHostArgs(host="api", switch=WebSwitchArgs(targets={{"blue": WebTargetArgs(ipv4=["192.0.2.1"]), '
        '"green": WebTargetArgs(ipv4=["192.0.2.2"])}}, {plan}))'
    )

    def plan(text: str) -> str:
        return program(server, hosts=switch.format(plan=text))

    stack = stack_of(tmp_path / "stack", plan('active="blue"'))
    stack.up()
    stack.write(plan('active="blue", next="green"'))
    stack.up()
    assert server.sets()[f"api.{ZONE} A"] == ["60 192.0.2.1"]
    stack.write(plan('active="green", next="blue"'))
    assert "would move while resolvers may keep the answer with the old TTL, until 20" in refusal(stack)
    stack.write(plan('active="green", next="blue", at_once=True'))
    stack.up()
    assert server.sets()[f"api.{ZONE} A"] == ["60 192.0.2.2"]
