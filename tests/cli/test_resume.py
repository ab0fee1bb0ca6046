"""`up` and `down` after a killed run: what they ask of the engine, the cluster and the Docker daemon, and what they say.

The engine and kubectl are stand-ins that write down what they are asked; the daemon is a list of things.
"""

import json
import os
import re
import socket
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.cli.conftest import Command, Fake
from tests.cli.test_interrupted import OURS, PROVIDER, container, deployment, resource, state
from tierstack.engine import aim, parts, resume, target
from tierstack.engine.project import LockedError

STACK = resource("pulumi:pulumi:Stack", "shop")
MANAGER = "pulumi-kubernetes-1234"


@pytest.fixture(autouse=True)
def docker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, lambda _: None)


@pytest.fixture(autouse=True)
def daemon(monkeypatch: pytest.MonkeyPatch) -> "Daemon":
    one = Daemon()
    monkeypatch.setattr(resume, "client", one.at)
    monkeypatch.setattr(parts, "client", one.at)
    return one


class Thing:
    """A container, network or volume of the daemon."""

    def __init__(self, kind: str, name: str, labels: dict[str, str] = OURS, refused: bool = False) -> None:
        self.kind, self.name, self.labels, self.refused = kind, name, labels, refused
        self.id, self.removed = f"id-of-{name}", False
        self.attrs = {"State": {"Status": "running", "Running": True}}

    def remove(self, force: bool = False) -> None:
        from docker.errors import APIError

        if self.refused:
            raise APIError("network has active endpoints")
        self.removed = True


class Daemon:
    """Lists what fits the filters, as Docker does."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self.hosts: list[str | None] = []
        self.absent = False

    def at(self, host: str | None) -> "Daemon":
        from docker.errors import DockerException

        if self.absent:
            raise DockerException("connection refused")
        self.hosts.append(host)
        return self

    def __getattr__(self, kind: str) -> Any:
        from types import SimpleNamespace

        def listed(
            filters: Mapping[str, Any] = MappingProxyType({}), all: bool = False, ignore_removed: bool = False
        ) -> list[Thing]:
            pairs = [one.partition("=") for one in filters.get("label", [])]
            return [
                one
                for one in self.things
                if one.kind == kind
                and re.search(filters.get("name", ""), one.name)
                and all_in(pairs, one.labels)
                and (all or kind != "containers")
            ]

        return SimpleNamespace(list=listed)


def all_in(pairs: list[tuple[str, str, str]], labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, _, value in pairs)


class Kubectl:
    """What the cluster holds, by `kind name`; refusals by the same key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.say({})

    def say(self, answers: dict[str, Any]) -> None:
        (self.folder / "kubectl.json").write_text(json.dumps(answers))

    def calls(self) -> list[str]:
        log = self.folder / "kubectl.log"
        return log.read_text().splitlines() if log.exists() else []


_KUBECTL = """#!/bin/sh
echo "$*" >> "{folder}/kubectl.log"
exec "{python}" -c '
import json, sys
arguments = sys.argv[1:]
verb = next(index for index, one in enumerate(arguments) if one in ("get", "delete"))
answer = json.load(open("{folder}/kubectl.json")).get(" ".join(arguments[verb + 1 : verb + 3]))
if isinstance(answer, str):
    sys.exit(answer)
if answer and arguments[verb] == "get":
    print(json.dumps(answer))
' "$@"
"""


@pytest.fixture
def kubectl(pulumi: Fake) -> Kubectl:
    import sys

    program = pulumi.folder / "kubectl"
    program.write_text(_KUBECTL.format(folder=pulumi.folder, python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Kubectl(pulumi.folder)


def live(labels: dict[str, str] = OURS, manager: str = MANAGER) -> dict[str, Any]:
    return {"metadata": {"labels": labels, "managedFields": [{"manager": "kubelet"}, {"manager": manager}]}}


def left(pulumi: Fake, *under_way: tuple[str, dict[str, Any]], resources: list[dict[str, Any]] | None = None) -> None:
    """What the killed run left in the state."""
    found = state(*under_way, resources=[STACK, *(resources or [])])
    pulumi.say(stack_init={"code": 1, "err": "stack 'local' already exists"})
    pulumi.say(stack_export={"out": json.dumps({"version": 3, "deployment": found})})


@pytest.fixture
def imported(pulumi: Fake, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The states that were put in place of what the killed run left."""
    from tierstack.engine.run import Engine

    found: list[dict[str, Any]] = []
    monkeypatch.setattr(Engine, "change_deployment", lambda self, change: found.append(change(self.deployment())))
    return found


def targets(pulumi: Fake) -> list[list[str]]:
    """Names of what each refresh looked up."""
    calls = [call["arguments"] for call in pulumi.calls() if call["arguments"][0] == "refresh"]
    return [[one.rpartition("::")[2] for one in call if one.startswith("--target=")] for call in calls]


def test_a_run_after_one_that_ended_asks_for_the_state_and_no_more(tierstack: Command, pulumi: Fake) -> None:
    left(pulumi)
    done = tierstack("up", "-s", "local", "--json")
    assert "interrupted" not in json.loads(done.stdout)
    assert pulumi.verbs() == ["stack init", "stack export", "up", "stack output", "stack export", "stack output"]


def test_what_was_changed_is_looked_up_before_the_update(
    tierstack: Command, pulumi: Fake, imported: list[dict[str, Any]]
) -> None:
    web, gone = container(), container(name="shop-old")
    left(pulumi, ("updating", web), ("deleting", gone), resources=[web])
    done = tierstack("up", "-s", "local", "--yes")
    assert targets(pulumi) == [["shop-web"]]
    assert pulumi.verbs().index("refresh") < pulumi.verbs().index("up")
    assert "  updating Container shop-web: looked up again\n" in done.stderr
    assert "  deleting Container shop-old: looked up again\n" in done.stderr


def test_an_object_that_was_made_is_taken_over(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]]
) -> None:
    provider = {"type": "p", "urn": PROVIDER, "id": "1", "inputs": {"context": "prod"}}
    left(pulumi, ("creating", deployment()), ("creating", deployment("worker")), resources=[provider])
    kubectl.say({"Deployment.v1.apps web": live()})
    done = json.loads(tierstack("up", "-s", "local", "--json").stdout)
    assert [one["then"] for one in done["interrupted"]] == ["adopted", "not-made"]
    (after,) = imported
    assert after["resources"][-1]["outputs"]["__fieldManager"] == MANAGER
    assert targets(pulumi) == [["shop"], ["web"]]  # the lock first, then what was taken over
    assert all(call.startswith("--context prod get Deployment.v1.apps") for call in kubectl.calls())


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (None, "not-made"),
        (live(labels={}), "not-ours"),
        (live(labels={**OURS, "app.kubernetes.io/part-of": "other"}), "not-ours"),
        (live(manager="kubectl-client-side-apply"), "not-ours"),
        ('error: the server doesn\'t have a resource type "Deployment"', "not-made"),
    ],
)
def test_an_object_that_is_not_of_this_run_is_left_alone(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]], answer: Any, then: str
) -> None:
    left(pulumi, ("creating", deployment()))
    kubectl.say({"Deployment.v1.apps web": answer})
    done = json.loads(tierstack("up", "-s", "local", "--json").stdout)
    assert [one["then"] for one in done["interrupted"]] == [then]
    assert imported[0]["resources"] == [STACK]
    assert not any("delete" in call for call in kubectl.calls())


def test_a_cluster_that_does_not_answer_decides_nothing(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]]
) -> None:
    left(pulumi, ("creating", deployment()))
    kubectl.say({"Deployment.v1.apps web": "Unable to connect to the server: connection refused"})
    for verb in ("up", "down"):
        done = tierstack(verb, "-s", "local", "--json")
        assert done.exit_code == 1
        assert json.loads(done.stdout)["messages"] == [
            "the last run was interrupted, and how it ended cannot be asked: Unable to connect to the server: connection refused"
        ]
    assert not {"up", "destroy"} & set(pulumi.verbs())
    assert imported == []


def test_without_kubectl_nothing_is_decided_either(
    tierstack: Command, pulumi: Fake, imported: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    left(pulumi, ("creating", deployment()))
    monkeypatch.setenv("PATH", str(pulumi.folder))  # it holds pulumi alone
    done = tierstack("up", "-s", "local", "--yes")
    assert done.exit_code == 1
    assert "cannot be asked: [Errno 2] No such file or directory: 'kubectl'" in done.stderr


def updated(pulumi: Fake, before: dict[str, Any], *after: dict[str, Any]) -> None:
    """The state before and after the update: `stack export` is asked three times before it, and then once."""
    exports = [{"out": json.dumps({"version": 3, "deployment": one})} for one in (before, {"resources": list(after)})]
    pulumi.say(stack_export=[exports[0]] * 3 + [exports[1]])


def replacing(**more: Any) -> dict[str, Any]:
    """Killed while it created web-2 in place of web-1."""
    new = deployment("web-2", **more)
    return state(("creating", new), resources=[STACK, {**deployment("web-1", id="shop/web-1"), "urn": new["urn"]}])


@pytest.mark.parametrize(("used", "deletes"), [("web-2", 0), ("web-1", 1)])
def test_a_replacement_is_removed_after_the_update_unless_that_uses_it(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]], used: str, deletes: int
) -> None:
    left(pulumi)
    updated(pulumi, replacing(), deployment(used))
    kubectl.say({"Deployment.v1.apps web-2": live()})
    done = tierstack("up", "-s", "local", "--yes")
    assert "it is there, to replace another: kept if it is still wanted" in done.stderr
    assert sum(call.startswith("delete Deployment.v1.apps web-2") for call in kubectl.calls()) == deletes
    assert ("Deployment web-2 is not used any more: removed" in done.stderr) is bool(deletes)
    made = imported[0]["resources"][-1]
    assert (made["id"], made["delete"], made["retainOnDelete"]) == ("shop/web-2", True, True)


@pytest.mark.parametrize(("used", "deletes"), [("web-1", 0), ("web-2", 1)])
def test_what_was_replaced_is_removed_after_the_update_unless_that_uses_it_again(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]], used: str, deletes: int
) -> None:
    old = {**deployment("web-1", id="shop/web-1"), "delete": True}
    left(pulumi)
    exports = [{"resources": [STACK, deployment("web-2"), old]}, {"resources": [STACK, deployment(used)]}]
    said = [{"out": json.dumps({"version": 3, "deployment": one})} for one in exports]
    pulumi.say(stack_export=[said[0], said[0], said[1]])
    kubectl.say({"Deployment.v1.apps web-1": live()})
    done = tierstack("up", "-s", "local", "--json")
    assert "interrupted" not in json.loads(done.stdout)
    assert imported[0]["resources"][-1] == {**old, "retainOnDelete": True}
    assert sum(call.startswith("delete") for call in kubectl.calls()) == deletes


def test_nothing_is_removed_where_the_update_fails(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]]
) -> None:
    left(pulumi)
    updated(pulumi, replacing(), deployment("web-1"))
    kubectl.say({"Deployment.v1.apps web-2": live()})
    pulumi.say(up={"code": 255, "out": "no room"})
    assert tierstack("up", "-s", "local", "--yes").exit_code == 1
    assert not any(call.startswith("delete") for call in kubectl.calls())


def test_data_that_was_to_replace_other_is_never_removed(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]]
) -> None:
    left(pulumi)
    updated(pulumi, replacing(protect=True), deployment("web-1"))
    kubectl.say({"Deployment.v1.apps web-2": live()})
    tierstack("up", "-s", "local", "--yes")
    assert not any(call.startswith("delete") for call in kubectl.calls())
    assert len(imported[0]["resources"]) == 2


def test_what_cannot_be_removed_is_told(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    left(pulumi)
    updated(pulumi, replacing(), deployment("web-1"))
    kubectl.say({"Deployment.v1.apps web-2": live()})
    ask = resume._kubectl

    def refuses(one: Any, *arguments: str) -> str:
        if arguments[0] == "delete":
            raise resume.UnansweredError("forbidden")
        return ask(one, *arguments)

    monkeypatch.setattr(resume, "_kubectl", refuses)
    done = tierstack("up", "-s", "local", "--yes")
    assert done.exit_code == 0
    assert "Deployment web-2 is not used any more, but not removed: forbidden" in done.stderr


def test_of_two_objects_under_one_urn_one_is_taken_over(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]]
) -> None:
    one, other = deployment("web-1"), {**deployment("web-2"), "urn": deployment("web-1")["urn"]}
    left(pulumi, ("creating", one), ("creating", other))
    kubectl.say({"Deployment.v1.apps web-1": live(), "Deployment.v1.apps web-2": live()})
    done = json.loads(tierstack("up", "-s", "local", "--json").stdout)
    assert [entry["then"] for entry in done["interrupted"]] == ["adopted", "kept-if-wanted"]
    assert [made.get("delete", False) for made in imported[0]["resources"]] == [False, False, True]


def test_half_made_containers_and_networks_are_removed(
    tierstack: Command, pulumi: Fake, daemon: Daemon, imported: list[dict[str, Any]]
) -> None:
    things = {
        "made": Thing("containers", "shop-web"),
        "network": Thing("networks", "shop"),
        "of another": Thing("containers", "shop-worker", {"app.kubernetes.io/managed-by": "compose"}),
        "alike": Thing("containers", "shop-web-2"),
        "in the state": Thing("containers", "shop-db"),
        "helper": Thing("containers", "clever_name", {"tierstack.dev/writes": "shop-tls"}),
    }
    daemon.things = list(things.values())
    files = resource("pulumi-python:dynamic/docker:VolumeFiles", "tls", inputs={"volume": "shop-tls"})
    left(
        pulumi,
        ("creating", container()),
        ("creating", container("Network", "shop")),
        ("creating", container(name="shop-worker")),
        ("creating", container(name="shop-db")),
        ("updating", files),
        resources=[{**container(name="shop-db"), "id": "id-of-shop-db"}],
    )
    done = json.loads(tierstack("up", "-s", "local", "--json").stdout)
    assert [one["then"] for one in done["interrupted"]] == [
        "removed",
        "removed",
        "not-made",
        "not-made",
        "looked-up",
    ]
    assert [name for name, thing in things.items() if thing.removed] == ["made", "network", "helper"]
    assert [(one["name"], one["health"]) for one in done["parts"]] == [("shop-db", "healthy")]


def test_an_update_whose_health_nobody_can_tell_says_so_and_what_it_changed(
    tierstack: Command, pulumi: Fake, daemon: Daemon, imported: list[dict[str, Any]]
) -> None:
    left(pulumi, resources=[{**container(name="shop-db"), "id": "id-of-shop-db"}])
    daemon.absent = True
    said = tierstack("up", "-s", "local", "--json")
    done = json.loads(said.stdout)
    assert (said.exit_code, done["result"]) == (1, "unhealthy")
    assert re.fullmatch(
        r"could not be asked: no Docker daemon answers at unix://\S+no-daemon\.sock \(connection refused\)",
        done["parts"][0]["why"],
    )


def test_what_the_daemon_does_not_let_go_is_told_by_the_update(
    tierstack: Command, pulumi: Fake, daemon: Daemon, imported: list[dict[str, Any]]
) -> None:
    daemon.things = [Thing("networks", "shop", refused=True)]
    left(pulumi, ("creating", container("Network", "shop")))
    assert "up" in pulumi.verbs() if tierstack("up", "-s", "local").exit_code == 0 else False


def test_a_volume_that_was_made_is_taken_over(
    tierstack: Command, pulumi: Fake, daemon: Daemon, imported: list[dict[str, Any]]
) -> None:
    daemon.things = [Thing("volumes", "shop-db-data"), Thing("volumes", "shop-other", {})]
    left(pulumi, ("creating", container("Volume", "shop-db-data")), ("creating", container("Volume", "shop-other")))
    done = json.loads(tierstack("up", "-s", "local", "--json").stdout)
    assert [one["then"] for one in done["interrupted"]] == ["adopted", "not-made"]
    assert imported[0]["resources"][-1]["id"] == "shop-db-data"
    assert not any(thing.removed for thing in daemon.things)


def test_a_daemon_that_does_not_answer_decides_nothing(
    tierstack: Command, pulumi: Fake, daemon: Daemon, imported: list[dict[str, Any]]
) -> None:
    daemon.absent = True
    for kind in ("Container", "Volume"):
        left(pulumi, ("creating", container(kind)))
        done = tierstack("up", "-s", "local")
        assert done.exit_code == 1
        assert "how it ended cannot be asked: connection refused" in done.stderr
    assert imported == []


def test_what_is_unknown_is_told(
    tierstack: Command, pulumi: Fake, kubectl: Kubectl, imported: list[dict[str, Any]]
) -> None:
    elsewhere = {"type": "p", "urn": PROVIDER, "id": "1", "inputs": {"kubeconfig": "(secret)"}}
    bucket, theirs = resource("aws:s3/bucket:Bucket", "a"), container(labels={})
    left(pulumi, ("creating", bucket), ("creating", theirs), ("creating", deployment()), resources=[elsewhere])
    done = json.loads(tierstack("up", "-s", "local", "--json").stdout)
    assert [one["then"] for one in done["interrupted"]] == ["unknown"] * 3
    assert kubectl.calls() == []


def test_a_refresh_that_fails_stops_before_anything_changes(
    tierstack: Command, pulumi: Fake, imported: list[dict[str, Any]]
) -> None:
    left(pulumi, ("updating", container()), resources=[container()])
    pulumi.say(refresh={"code": 1, "out": "the daemon is gone"})
    done = tierstack("up", "-s", "local", "--yes")
    assert done.exit_code == 1
    assert "the daemon is gone" in done.stderr
    assert "up" not in pulumi.verbs()
    assert imported == []


def test_down_settles_too_and_tells_it(
    tierstack: Command, pulumi: Fake, imported: list[dict[str, Any]], daemon: Daemon
) -> None:
    daemon.things = [Thing("containers", "shop-web")]
    left(pulumi, ("creating", container()))
    done = json.loads(tierstack("down", "-s", "local", "--json").stdout)
    assert done["interrupted"][0]["then"] == "removed"
    assert daemon.things[0].removed


def refusal(file: Path, pid: int, host: str) -> str:
    since = "2026-11-21T10:00:00Z"
    return (
        "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
        f"lock file with `pulumi cancel`.\n  file://{file}: created by me@{host} (pid {pid}) at {since}"
    )


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("tierstack.engine.locks._sees_all_processes", lambda: True)
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_the_lock_of_a_killed_run_is_removed_and_the_verb_tried_again(
    tierstack: Command, pulumi: Fake, gone: int, tmp_path: Path
) -> None:
    lock = tmp_path / "lock.json"
    lock.touch()
    refused = {"code": 255, "out": refusal(lock, gone, socket.gethostname())}
    pulumi.say(up=[refused, {"out": "4 unchanged"}])
    done = tierstack("up", "-s", "local", "--yes")
    assert done.exit_code == 0
    assert not lock.exists()
    assert f"the last run was killed (process {gone} of me on {socket.gethostname()}" in done.stderr
    assert "locked" not in done.stdout
    assert "4 unchanged" in done.stdout


def test_any_other_lock_stays_and_is_told(tierstack: Command, pulumi: Fake, gone: int, tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.touch()
    for pid, host in ((gone, "elsewhere"), (os.getpid(), socket.gethostname())):
        said = refusal(lock, pid, host).replace("2026", "2200")  # since tomorrow: this process was there before
        pulumi.say(up={"code": 255, "out": said})
        done = tierstack("up", "-s", "local", "--yes")
        assert done.exit_code == 1
        assert f"local is locked by another run (process {pid} of me on {host}" in done.stderr
        assert "currently locked" not in done.stdout
        told = json.loads(tierstack("up", "-s", "local", "--json").stdout)
        assert (told["result"], "`pulumi cancel --stack local`" in told["messages"][0]) == ("failed", True)
    assert lock.exists()


def test_of_two_locks_both_must_be_stale(tierstack: Command, pulumi: Fake, gone: int, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.json", "other.json")]
    for file in files:
        file.touch()
    both = "\n".join(
        refusal(file, gone, host) for file, host in zip(files, (socket.gethostname(), "elsewhere"), strict=True)
    )
    pulumi.say(up={"code": 255, "out": both})
    done = tierstack("up", "-s", "local", "--yes")
    assert f"process {gone} of me on elsewhere" in done.stderr
    assert all(file.exists() for file in files)


def test_a_lock_is_in_the_way_of_deleting_data_too(tierstack: Command, pulumi: Fake, gone: int, tmp_path: Path) -> None:
    """`down --delete-data` takes the protection away first, which needs the lock as well."""
    lock = tmp_path / "lock.json"
    lock.touch()
    left(pulumi)
    pulumi.say(state_unprotect=[{"code": 1, "err": refusal(lock, gone, socket.gethostname())}, {}])
    assert tierstack("down", "-s", "local", "--delete-data", "--yes").exit_code == 0
    assert not lock.exists()
    pulumi.say(state_unprotect={"code": 1, "err": refusal(lock, gone, "elsewhere")})
    done = tierstack("down", "-s", "local", "--delete-data", "--yes")
    assert isinstance(done.exception, LockedError)
    assert "on elsewhere" in str(done.exception)


def test_a_run_killed_before_its_stack_was_made(tierstack: Command, pulumi: Fake, gone: int, tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.touch()
    refused = {"code": 255, "err": refusal(lock, gone, socket.gethostname())}
    pulumi.say(stack_init=[refused, {}], stack_ls={"out": "[]"})
    assert tierstack("up", "-s", "local", "--yes").exit_code == 0
    assert pulumi.verbs()[:3] == ["stack init", "stack ls", "stack init"]
    assert not lock.exists()


def test_who_only_looks_is_not_kept_from_it(tierstack: Command, pulumi: Fake, tmp_path: Path) -> None:
    pulumi.say(stack_init={"code": 255, "err": refusal(tmp_path / "lock.json", 7, "elsewhere")})
    assert tierstack("preview", "-s", "local").exit_code == 0


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("file:///state", "file:///state?metadata=skip"),
        ("file://~", "file://~?metadata=skip"),
        ("file:///state?no_tmp_dir=false", "file:///state?no_tmp_dir=false&metadata=skip"),
        ("file:///state?metadata=skip", "file:///state?metadata=skip"),
        ("s3://bucket?region=eu", "s3://bucket?region=eu"),
    ],
)
def test_a_state_in_a_directory_is_written_so_that_a_kill_does_not_break_it(
    tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch, given: str, used: str
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", given)
    tierstack("up", "-s", "local")
    assert {call["environment"]["PULUMI_BACKEND_URL"] for call in pulumi.calls()} == {used}
