"""To whom a platform's name belongs on a Docker host. `tests/docker/test_two_checkouts.py` does it on a real daemon."""

import functools
from types import SimpleNamespace
from typing import Any

import docker.errors
import pulumi
import pytest

from tests.support import Recorder, run_program
from tierstack import DataProtection, DockerHost
from tierstack.platform import claim, own_state
from tierstack.platform import docker as host_module
from tierstack.platform.claim import OWNER, Claimed, HostObject

OURS = {"app.kubernetes.io/part-of": "shop"}
WEB, DATA, NET = (HostObject(kind, f"shop-{kind}", OURS, "2026-11-25T20:13:44Z") for kind in ("container", "volume", "network"))  # fmt: skip
KNOWN = {("container", "shop-container"), ("volume", "shop-volume"), ("network", "shop-network")}


def marker(owner: str) -> HostObject:
    labels = {**OURS, OWNER: owner, "tierstack.dev/stack": "organization/shop/local", "tierstack.dev/claimed-by": "a@b"}
    return HostObject("volume", "shop-claim", labels, "2026-11-25T20:13:00Z")


class TestForeign:
    @pytest.mark.parametrize(
        ("objects", "known", "owner", "foreign"),
        [
            ([], set(), None, []),  # a first update
            ([marker("a"), WEB, DATA, NET], KNOWN, "a", []),  # every later one
            ([marker("a"), WEB, NET], set(), "a", []),  # what an interrupted run of this state left
            ([WEB, DATA, NET], KNOWN, None, []),  # made by a release that knew no claims
            ([WEB, DATA, NET], KNOWN, "a", []),  # the marker was pruned
            ([WEB, DATA, NET], set(), None, [WEB, NET, DATA]),  # another checkout's, of such a release
            ([DATA], set(), None, [DATA]),  # kept by `down`, in the state of another checkout
            ([WEB, DATA, NET], {("volume", "shop-volume")}, None, [WEB, NET]),
            ([marker("a"), WEB], set(), None, [marker("a"), WEB]),
            ([marker("a"), WEB, DATA, NET], KNOWN, "b", [marker("a"), WEB, DATA, NET]),  # taken over by another
            ([marker("a"), WEB], KNOWN, None, [marker("a"), WEB]),
        ],
    )
    def test_what_belongs_to_another_state(self, objects: Any, known: Any, owner: Any, foreign: Any) -> None:
        assert Claimed("shop", objects, known, owner).foreign() == sorted(foreign)

    @pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/part-of": "shop-local"}, {"com.docker.compose.project": "shop"}])  # fmt: skip
    def test_names_alone_say_nothing(self, labels: dict[str, str]) -> None:
        other = HostObject("volume", "shop-local-data", labels)
        said = Claimed("shop", [other], set(), None)
        assert said.foreign() == []
        assert said.taken() == {("volume", "shop-local-data"): other}
        assert Claimed("shop", [other], {("volume", "shop-local-data")}, None).taken() == {}

    def test_what_is_said(self) -> None:
        objects = [marker("a"), WEB, DATA, NET, HostObject("volume", "shop-x", OURS)]
        said = Claimed("shop", objects, set(), None)
        text = said.refusal(said.foreign())
        assert "platform.name = 'shop': the Docker host has container shop-container, network shop-network" in text
        assert " and 1 more, which belong to another state. Nothing was changed." in text
        assert "owner: stack organization/shop/local, claimed by a@b, part-of shop, since 2026-11-25T20:13:00" in text
        assert all(word in text for word in ("platform.name", "PULUMI_BACKEND_URL", "tierstack up --adopt"))


class Daemon:
    """Volumes with labels, and containers and networks to be cleared."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, str]] = {}
        self.notes: list[str] = []
        self.volumes = SimpleNamespace(create=self.create, list=self.list, get=self.get)
        self.containers = SimpleNamespace(list=lambda **given: [self.thing("container", given)])
        self.networks = SimpleNamespace(list=lambda **given: [self.thing("network", given)])

    def create(self, name: str, labels: dict[str, str]) -> None:
        self.kept.setdefault(name, labels)  # as Docker does

    def list(self, filters: dict[str, Any]) -> "list[Any]":
        wanted = {tuple(one.split("=")) for one in filters.get("label", [])}
        found = [
            name for name, labels in self.kept.items() if filters.get("name", "") in name and wanted <= labels.items()
        ]
        return [
            SimpleNamespace(name=name, attrs={"Labels": self.kept[name]}, remove=functools.partial(self.kept.pop, name))
            for name in found
        ]

    def get(self, name: str) -> Any:
        return SimpleNamespace(remove=lambda: self.kept.pop(name))

    def thing(self, kind: str, given: dict[str, Any]) -> Any:
        assert given["filters"] == {"label": "app.kubernetes.io/part-of=shop"}
        return SimpleNamespace(
            stop=lambda timeout: self.notes.append(f"stop {kind}"),
            remove=lambda **_: self.notes.append(f"remove {kind}"),
        )


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    one = Daemon()
    monkeypatch.setattr(claim, "client", lambda _: one)
    return one


def props(owner: str, **more: Any) -> dict[str, Any]:
    return {"name": "shop", "owner": owner, "stack": "o/shop/local", "labels": OURS, **more}


class TestProvider:
    def test_of_two_at_once_one_gets_the_name(self, daemon: Daemon) -> None:
        provider = claim._Provider()
        assert provider.create(props("a")).id == "shop-claim"
        with pytest.raises(RuntimeError, match="another stack has just taken the platform name shop"):
            provider.create(props("b"))
        assert daemon.kept["shop-claim"][OWNER] == "a"
        assert daemon.notes == []
        provider.create(props("a"))  # again, after a run that was killed

    def test_only_the_owner_gives_it_back(self, daemon: Daemon) -> None:
        provider = claim._Provider()
        provider.create(props("a"))
        assert not claim.is_taken_over(props("a"))
        assert claim.is_taken_over(props("b"))
        provider.delete("shop-claim", props("b"))
        assert "shop-claim" in daemon.kept
        provider.delete("shop-claim", props("a"))
        assert daemon.kept == {}
        assert not claim.is_taken_over(props("a"))

    def test_volumes_of_releases_of_a_state_before_go_with_the_claim(self, daemon: Daemon) -> None:
        provider = claim._Provider()
        provider.create(props("a"))
        daemon.kept["shop-db-data"] = OURS
        daemon.kept["shop-web-1a2b-secrets"] = OURS | claim.OF_A_RELEASE  # the next state's revision is another one
        daemon.kept["shop2-web-1a2b-secrets"] = {**OURS, "app.kubernetes.io/part-of": "shop2"} | claim.OF_A_RELEASE
        provider.update("shop-claim", props("a"), props("b", adopt=True))
        assert "shop-web-1a2b-secrets" in daemon.kept  # the state before may come back
        provider.delete("shop-claim", props("b"))
        assert daemon.kept.keys() == {"shop-db-data", "shop2-web-1a2b-secrets"}

    def test_adopting_removes_what_holds_no_data(self, daemon: Daemon) -> None:
        provider = claim._Provider()
        provider.create(props("a"))
        daemon.kept["shop-db-data"] = OURS
        provider.update("shop-claim", props("a"), props("b", adopt=True))
        assert daemon.kept["shop-claim"][OWNER] == "b"
        assert "shop-db-data" in daemon.kept
        assert daemon.notes == ["stop container", "remove container", "remove network"]

    @pytest.mark.parametrize(
        ("change", "changes", "replaces"),
        [({}, False, []), ({"adopt": True}, False, []), ({"owner": "b"}, True, []), ({"name": "x"}, True, ["name"])],
    )
    def test_what_is_a_change(self, change: dict[str, Any], changes: bool, replaces: list[str]) -> None:
        found = claim._Provider().diff("shop-claim", props("a"), {**props("a"), **change})
        assert (found.changes, found.replaces) == (changes, replaces)


STATE = {"a": {"type": claim.TYPE, "outputs": {"name": "shop", "docker_host": None, "owner": "a"}}}


@pytest.mark.graph
class TestProgram:
    """What the host of a program does with it."""

    def made(self, monkeypatch: pytest.MonkeyPatch, objects: Any, state: dict[str, Any], **platform: Any) -> Recorder:
        def look(_: str | None) -> list[HostObject]:
            if objects is None:
                raise docker.errors.DockerException("connection refused")
            return objects

        monkeypatch.setattr(claim, "objects_on", look)
        monkeypatch.setattr(own_state, "resources", lambda: state)

        def program() -> None:
            root = pulumi.ComponentResource("test:index:Root", "root")
            for protection in ("none", "protect"):  # two platforms, one name
                one = DockerHost(name="shop", data_protection=DataProtection(protection), **platform)
                host_module.host(one).volume(f"data-{protection}", root, data=True)

        return run_program(program)

    def test_a_first_update_claims_the_name_before_all_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = self.made(monkeypatch, [], {})
        assert len(made.named("shop-claim", "Claim").inputs["owner"]) == 32
        assert "shop-claim" in made.named("data-none").depends_on
        assert "shop-claim" in made.named("data-protect").depends_on

    def test_an_owner_stays_the_owner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = self.made(monkeypatch, [marker("a"), WEB], STATE)
        assert made.named("shop-claim").inputs["owner"] == "a"

    def test_another_state_s_name_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(pulumi.RunError, match="belong to another state"):
            self.made(monkeypatch, [marker("b"), WEB], STATE)

    def test_adopting_gives_another_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = self.made(monkeypatch, [marker("b"), WEB], STATE, adopt=True)
        assert made.named("shop-claim").inputs["owner"] not in ("a", "b")
        again = self.made(monkeypatch, [marker("a"), WEB], STATE, adopt=True)
        assert again.named("shop-claim").inputs["owner"] == "a"

    def test_a_name_that_is_taken_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        other = HostObject("volume", "shop-data-none", {"project": "thesis"})
        with pytest.raises(pulumi.RunError, match=r"volume shop-data-none exists .* \(labels: project=thesis\)"):
            self.made(monkeypatch, [other], {})

    def test_a_daemon_that_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(
            pulumi.RunError, match=r"no Docker daemon answers at tcp://1\.2\.3\.4:1 .*Nothing was changed"
        ):
            self.made(monkeypatch, None, {}, docker_host="tcp://1.2.3.4:1")
        monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
        self.made(monkeypatch, None, {})  # a preview of a stack that is nowhere yet
        with pytest.raises(pulumi.RunError, match="no Docker daemon answers"):
            self.made(monkeypatch, None, STATE)


def test_objects_of_a_state() -> None:
    volume = {"type": "docker:index/volume:Volume", "outputs": {"name": "shop-volume"}}
    assert claim.known_objects({"a": volume, "b": {"type": "x", "outputs": {"name": "y"}}}) == {("volume", "shop-volume")}  # fmt: skip
    platform = DockerHost(name="shop", docker_host="tcp://a:1")
    assert claim.owner_in(STATE, platform) is None  # another host
