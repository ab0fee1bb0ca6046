"""The environment that stacks run in, and the report of what is there."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import doctor, environment, find, place, python_env, system
from toolchain.pins import Pins

Program = Callable[..., Path]


def sourced(script: Path, **extra: str) -> dict[str, str]:
    """The variables after sourcing `script` in an otherwise empty shell."""
    done = subprocess.run(
        ["/bin/sh", "-c", '. "$0" && /usr/bin/env -0', script],
        env={"PATH": "/usr/bin:/bin", **extra}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)


def test_programs_of_the_set_up_come_first(few: Pins, home: Path, program: Program) -> None:
    engine = few.tools["pulumi"]
    program(engine.name, "echo ours", find.build_home(engine) / "bin")
    path = sourced(environment.write(few))["PATH"].split(":")
    assert path[0] == str(place.ROOT / ".venv" / "bin")
    assert subprocess.check_output([Path(path[1]) / "pulumi"], text=True) == "ours\n"
    assert path[2:] == ["/usr/bin", "/bin"]


def test_links_follow_a_new_build_and_drop_what_is_gone(few: Pins, program: Program) -> None:
    engine = few.tools["pulumi"]
    host = few.tools["pulumi-language-python"]
    program(host.name, "", find.build_home(host) / "bin")
    old = program(engine.name, "old", find.build_home(engine) / "bin")
    farm = environment.link_farm(environment.ours(few))
    assert sorted(link.name for link in farm.iterdir()) == ["pulumi", "pulumi-language-python"]
    assert (farm / "pulumi").samefile(old)
    (engine.source / "go.sum").write_text("new")
    new = program(engine.name, "new", find.build_home(engine) / "bin")
    (find.build_home(host) / "bin" / host.name).unlink()
    environment.link_farm(environment.ours(few))
    assert [link.name for link in farm.iterdir()] == ["pulumi"]
    assert (farm / "pulumi").samefile(new)


def test_the_engine_lies_beside_its_host_and_finds_plugins_where_it_installs_them(
    few: Pins, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything else makes it warn: a host beside a symbolic link is not beside the engine, and PATH is for developers."""
    engine, plugin = few.tools["pulumi"], few.tools["pulumi-resource-random"]
    made = program(plugin.name, "", find.build_home(plugin) / "bin")
    program(engine.name, "", find.build_home(engine) / "bin")
    environment.write(few)
    farm = place.state() / "bin"
    assert not (farm / "pulumi").is_symlink()
    assert not (farm / plugin.name).exists()
    link = place.pulumi_home() / "plugins" / "resource-random-v4.21.4" / plugin.name
    assert link.readlink() == made
    found = find.find(plugin, few)
    assert found is not None
    assert (found.source, found.path) == ("built", made)  # and not the link, which would outlive a new build
    (plugin.source / "go.sum").write_text("new")
    assert find.find(plugin, few) is None
    monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError("another file system")))
    (farm / "pulumi").unlink()
    environment.write(few)
    before = (farm / "pulumi").stat().st_ino
    environment.write(few)
    assert (farm / "pulumi").stat().st_ino == before  # a copy is made once


def test_state_stays_in_the_checkout_unless_told_otherwise(few: Pins, home: Path) -> None:
    script = environment.write(few)
    assert sourced(script)["PULUMI_BACKEND_URL"] == f"file://{place.ROOT}/.state/pulumi?metadata=skip"
    assert (place.state() / "pulumi").is_dir()
    assert sourced(script, PULUMI_BACKEND_URL="s3://bucket")["PULUMI_BACKEND_URL"] == "s3://bucket"


def test_another_checkout_in_the_same_shell_takes_its_own_state(few: Pins, home: Path, tmp_path: Path) -> None:
    """Its configuration with the state of the first would be another stack's update."""
    script = environment.write(few)
    other = tmp_path / "other.sh"
    other.write_text(script.read_text().replace(f"{place.ROOT}/.state", "/other/.state"))
    both = tmp_path / "both.sh"
    both.write_text(f". {script}\n. {other}\n")
    after = sourced(both)
    assert after["PULUMI_BACKEND_URL"] == "file:///other/.state/pulumi?metadata=skip"
    assert after["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/other/.state/passphrase"
    mine = sourced(both, PULUMI_BACKEND_URL="s3://bucket", PULUMI_CONFIG_PASSPHRASE_FILE="/mine")
    assert mine["PULUMI_BACKEND_URL"] == "s3://bucket"
    assert mine["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/mine"


def test_passphrase_is_made_once_and_kept_private(few: Pins, home: Path) -> None:
    script = environment.write(few)
    file = Path(sourced(script)["PULUMI_CONFIG_PASSPHRASE_FILE"])
    secret = file.read_text()
    assert len(secret) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in script.read_text()
    environment.write(few)
    assert file.read_text() == secret


def test_a_passphrase_of_the_users_own_is_respected(few: Pins, home: Path) -> None:
    script = environment.write(few)
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in sourced(script, PULUMI_CONFIG_PASSPHRASE="")
    assert sourced(script, PULUMI_CONFIG_PASSPHRASE_FILE="/mine")["PULUMI_CONFIG_PASSPHRASE_FILE"] == "/mine"


def test_paths_with_spaces_and_quotes_survive(few: Pins, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "ROOT", home / "it's a $checkout")
    place.ROOT.mkdir()
    values = sourced(environment.write(few))
    assert values["PULUMI_BACKEND_URL"] == f"file://{place.ROOT}/.state/pulumi?metadata=skip"
    assert values["PATH"].startswith(f"{place.ROOT}/.venv/bin:{place.ROOT}/.state/bin:")


def test_doctor_names_what_is_missing_and_fails(
    few: Pins,
    home: Path,
    program: Program,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(python_env, "LOCK", home / "no-lock")
    program("pulumi", "echo v3.200.1")
    assert doctor.main(few, as_json=False) == 1
    out, err = capsys.readouterr()
    lines = {line.split()[1]: line for line in out.splitlines()}
    assert lines["pulumi"].startswith("ok ")
    assert f"PATH: {home}/path/pulumi" in lines["pulumi"]
    assert lines["pulumi-resource-random"].startswith("MISSING ")
    assert "make setup" in lines["pulumi-resource-random"]
    assert lines["git"].endswith("(the engine reads the commit that a stack was deployed from)")
    assert "pulumi-resource-random" in err


def test_doctor_is_content_when_all_required_is_there(
    few: Pins, program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_env, "ready", lambda: True)
    monkeypatch.setattr(system, "NEEDS", ())
    for tool in few.group("core"):
        program(tool.name, "echo v9.9.9")
    assert doctor.main(few, as_json=True) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["pulumi"] == {
        "name": "pulumi", "required": True, "version": "9.9.9", "ok": True, "remedy": "",
        "source": f"PATH: {os.environ['PATH']}/pulumi",
    }  # fmt: skip
    assert rows["docker daemon"]["required"] is False


def test_the_lock_pins_the_installer_with_hashes_and_names_no_address() -> None:
    lock = (Path(__file__).resolve().parents[2] / "requirements.lock").read_text()
    block = python_env.block_of(lock, "uv")
    assert block.startswith("uv==")
    assert block.count("--hash=sha256:") > 3
    assert "\nurllib3" not in block
    assert "://" not in lock  # names such as httpx are no addresses
    assert python_env.block_of(lock, "uvloop-which-is-absent") == ""
