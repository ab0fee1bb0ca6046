"""From the state and the configuration to an application, and when a plain update is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.release.world import NEW, OLD
from tierstack.app_cluster.release_options import MirrorArgs, ReleaseArgs, ReleaseStrategy
from tierstack.cli import migration
from tierstack.cli.app import command
from tierstack.engine.project import StackConfig, UsageError
from tierstack.release import overlay, stacks
from tierstack.release.running import Phase, Progress, app_of

pytestmark = pytest.mark.pure

CONFIG = StackConfig({}, {"apps": {"shop": {"image": "1"}, "admin": {"image": "1"}}}, frozenset())


def component(name: str, progress: Progress | None = None) -> dict[str, Any]:
    one = {"name": OLD, "weight": 100, "current": True, "replicas": 2, "description": {"image": "sha256:a"}}
    document = {"releases": [one], "described": OLD, "progress": progress.as_dict() if progress else None}
    outputs = {"releases": json.dumps(document), "url": "https://shop.example:8443"}
    kind = "tierstack:index:AppCluster"
    return {"urn": f"urn:pulumi:prod::shop::{kind}::{name}", "type": kind, "outputs": outputs}


def route(name: str, of: str) -> dict[str, Any]:
    parent = f"urn:pulumi:prod::shop::tierstack:index:AppCluster::{of}"
    kind = "pulumi-python:dynamic/docker:VolumeFiles"
    return {"urn": f"urn:pulumi:prod::shop::tierstack:index:AppCluster${kind}::{name}", "type": kind, "parent": parent}


GATEWAY = {
    "urn": "urn:pulumi:prod::shop::tierstack:index:Gateway$docker:index/container:Container::gateway",
    "type": "docker:index/container:Container",
    "outputs": {"name": "shop-gateway"},
}


def progress(phase: Phase, configuration: str = "") -> Progress:
    return Progress(id="x", phase=phase, by="ada", new=NEW, old=OLD, configuration=configuration, reason="6 % failed")


def refused(*held: dict[str, Any], config: StackConfig = CONFIG) -> str | None:
    try:
        stacks.refuse_unfinished(held, "prod", config)
    except UsageError as error:
        return str(error)
    return None


def test_the_state_says_where_an_application_is() -> None:
    held = [component("web"), route("old-web-route", "web"), GATEWAY]
    name, running = app_of(held, "prod", None)
    assert (name, running.app, running.gateway, running.url) == (
        "web",
        "old-web",
        "shop-gateway",
        "https://shop.example:8443",
    )
    with pytest.raises(UsageError, match=r"several applications: `admin`, `shop`\. Name one with --app"):
        app_of([component("shop"), component("admin")], "prod", None)
    with pytest.raises(UsageError, match="no application `shup`; did you mean `shop`"):
        app_of([component("shop")], "prod", "shup")
    with pytest.raises(UsageError, match="says too little"):
        app_of([{**component("shop"), "outputs": {}}], "prod", None)


def test_a_plain_update_is_refused_while_a_release_is_under_way() -> None:
    said = refused(component("admin"), component("shop", progress(Phase.UNDER_WAY)))
    assert said
    assert "`tierstack release --resume -s prod` goes on, `tierstack rollback -s prod` takes it back" in said
    assert refused(component("admin"), component("shop")) is None


def test_what_was_taken_back_is_not_applied_by_accident() -> None:
    bad = overlay.digest(CONFIG, ["apps", "shop"])
    taken_back = component("shop", progress(Phase.TAKEN_BACK, bad))
    said = refused(taken_back)
    assert said
    assert "a release of shop that was taken back (6 % failed)" in said
    assert "`tierstack release --again -s prod`" in said
    mended = StackConfig({}, {"apps": {"shop": {"image": "2"}}}, frozenset())
    assert refused(taken_back, config=mended) is None
    assert refused(taken_back, config=StackConfig({}, {}, frozenset())) is None, "an application that goes"


def test_smoke_tests_ask_the_start_page_and_the_pages_of_health() -> None:
    def paths(args: ReleaseArgs, **app: Any) -> list[str]:
        return stacks.smoke_paths(args, StackConfig({}, {"app": app}, frozenset()), ["app"])

    assert paths(ReleaseArgs()) == ["/", "/health"]
    assert paths(ReleaseArgs(), health={"path": "/up", "readiness_path": "/ready"}) == ["/", "/up", "/ready"]
    assert paths(ReleaseArgs(smoke_paths=["/cart"])) == ["/cart"]


def test_another_strategy_goes_without_what_only_the_first_reads() -> None:
    args = ReleaseArgs(strategy=ReleaseStrategy.SHADOW, mirror=MirrorArgs())
    assert stacks._with_strategy(args, ReleaseStrategy.BLUE_GREEN).mirror is None
    assert stacks._with_strategy(args, None) is args


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-s", "prod", "--resume", "--abort"], "--resume, --abort and --again exclude each other"),
        (["--plan"], "Missing option '--stack'"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(command, ["release", *arguments])
    assert done.exit_code != 0
    assert said in done.output + str(done.exception)


def test_migrations_that_harm_the_running_release_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "drop.sql"
    file.write_text("ALTER TABLE orders DROP COLUMN note;")
    done = CliRunner().invoke(command, ["release", "-s", "prod", "--migrations", str(file)])
    assert isinstance(done.exception, UsageError)
    assert "the migrations would harm the release that runs" in done.exception.messages[0]
    assert "drop-column" in "\n".join(done.exception.messages)
    file.write_text("CREATE TABLE notes (id bigint PRIMARY KEY);")
    assert migration.judged([file]).ok


def test_a_rollback_says_what_it_needs() -> None:
    assert "Go back to a version that ran before" in CliRunner().invoke(command, ["rollback", "--help"]).output
