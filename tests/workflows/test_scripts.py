"""What the scripts of the workflows do, with imitations of docker, curl's far end and the forge."""

import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflows.conftest import SCRIPTS, Api, Run

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
DOCKER = """#!/usr/bin/env bash
echo "docker $*" >> "$REGISTRY/calls"
case "$*" in
    login*) cat > "$REGISTRY/password" ;;
    "buildx imagetools inspect "*)
        [ ! -e "$REGISTRY/down" ] || { echo "ERROR: connection refused" >&2; exit 1; }
        file="$REGISTRY/${4##*:}"
        if [ -e "$file" ]; then cat "$file"; else echo "ERROR: $4: not found" >&2; exit 1; fi ;;
    "buildx build "*) echo "$BUILT" > "$REGISTRY/${5##*:}" ;;
    "buildx imagetools create "*) echo "${COPIED:-${7#*@}}" > "$REGISTRY/${6##*:}" ;;
esac
"""


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A registry that an imitation of docker keeps in files: a tag holds its digest."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    (tmp_path / "registry").mkdir()
    return tmp_path / "registry"


def image(run: Run, registry: Path, *arguments: str, **more: str) -> Any:
    path = f"{registry.parent / 'bin'}:/usr/bin:/bin"
    variables = {"PATH": path, "REGISTRY": str(registry), "REPOSITORY": "ghcr.io/Owner/shop", "COMMIT": "abc"}
    return run("image.sh", *arguments, **{**variables, **more})


def calls(registry: Path, word: str) -> list[str]:
    return [line for line in (registry / "calls").read_text().splitlines() if word in line]


def test_a_commit_is_built_once_and_staging_and_production_get_that_digest(run: Run, registry: Path) -> None:
    first = image(run, registry, "build", BUILT=ONE, GITHUB_OUTPUT=str(registry / "output"))
    assert first.returncode == 0, first.stderr
    assert (registry / "output").read_text() == f"image=ghcr.io/owner/shop@{ONE}\n"
    again = image(run, registry, "build", BUILT=TWO)
    assert again.stdout == f"image=ghcr.io/owner/shop@{ONE}\n"
    assert len(calls(registry, "buildx build")) == 1

    unseen = image(run, registry, "staged")
    assert unseen.returncode == 1
    assert "Staging never ran commit abc: there is no ghcr.io/owner/shop:staged-abc." in unseen.stderr

    assert image(run, registry, "mark", f"ghcr.io/owner/shop@{ONE}").returncode == 0
    assert "--prefer-index=false" in calls(registry, "imagetools create")[0]
    staged = image(run, registry, "staged")
    assert staged.stdout == f"image=ghcr.io/owner/shop@{ONE}\n"
    assert (registry.parent / "image.env").read_text().splitlines()[-1] == staged.stdout.strip()


def test_a_mark_that_got_another_digest_is_an_error(run: Run, registry: Path) -> None:
    done = image(run, registry, "mark", f"ghcr.io/owner/shop@{ONE}", COPIED=TWO)
    assert done.returncode == 1
    assert f"staged-abc is {TWO}, not ghcr.io/owner/shop@{ONE}" in done.stderr


@pytest.mark.parametrize("verb", ["build", "staged"])
def test_a_registry_that_does_not_answer_is_not_one_without_the_image(run: Run, registry: Path, verb: str) -> None:
    (registry / "down").touch()
    done = image(run, registry, verb, BUILT=TWO)
    assert done.returncode == 1
    assert "connection refused" in done.stderr
    assert calls(registry, "buildx build") == []


def test_the_password_of_the_registry_is_no_argument(run: Run, registry: Path) -> None:
    image(run, registry, "build", BUILT=ONE, REGISTRY_USER="me", REGISTRY_TOKEN="secret-word")
    assert (registry / "password").read_text() == "secret-word\n"
    assert calls(registry, "docker login") == ["docker login --username me --password-stdin ghcr.io"]
    assert "secret-word" not in (registry / "calls").read_text()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("shop:images.app", {"shop:images": {"app": f"r.example/shop@{ONE}", "redis": "x"}, "shop:tier": "1M"}),
        (
            "image:app",
            {"shop:images": {"app": "old", "redis": "x"}, "shop:tier": "1M", "image:app": f"r.example/shop@{ONE}"},
        ),
    ],
)
def test_the_image_is_put_where_the_program_reads_it(
    run: Run, tmp_path: Path, key: str, expected: dict[str, Any]
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump({"config": {"shop:images": {"app": "old", "redis": "x"}, "shop:tier": "1M"}}))
    done = run("set_image.py", str(file), key, f"r.example/shop@{ONE}")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(file.read_text()) == {"config": expected}


@pytest.mark.parametrize(
    ("key", "given", "told"),
    [
        ("shop:images.app", "r.example/shop:latest", "image = 'r.example/shop:latest': is not named by digest"),
        ("shop:images.app", f"r.example/shop@{ONE}; rm -rf /", "is not named by digest"),
        ("shop:tier.app", f"r.example/shop@{ONE}", "`shop:tier` holds '1M', so nothing can be set at `app` below it"),
    ],
)
def test_an_image_that_cannot_be_put_is_told_and_nothing_written(
    run: Run, tmp_path: Path, key: str, given: str, told: str
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text := "config: {'shop:tier': 1M}\n")
    done = run("set_image.py", str(file), key, given)
    assert done.returncode == 1
    assert told in done.stderr
    assert file.read_text() == text


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """The vendor's archive and list, with a program that tells the version which install.sh asks for."""
    folder = tmp_path / "releases"
    folder.mkdir()
    version = next(
        line[8:] for line in (SCRIPTS / "install.sh").read_text().splitlines() if line.startswith("version=")
    )
    arch = "arm64" if platform.machine() in ("aarch64", "arm64") else "x64"
    archive = folder / f"pulumi-v{version}-linux-{arch}.tar.gz"
    program = f"#!/bin/sh\necho v{version}\n".encode()
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = len(program), 0o755
        tar.addfile(member, io.BytesIO(program))
    listed = f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n"
    (folder / f"pulumi-{version}-checksums.txt").write_text(f"{'0' * 64}  other.tar.gz\n{listed}")
    return folder


def install(run: Run, releases: Path) -> Any:
    project = releases.parent / "project"
    project.mkdir(exist_ok=True)
    (project / "requirements.txt").write_text("")
    return run("install.sh", cwd=project, PATH="/usr/bin:/bin", PULUMI_RELEASES=f"file://{releases}")


def test_the_engine_is_installed_by_its_checksum_once(run: Run, releases: Path) -> None:
    done = install(run, releases)
    assert done.returncode == 0, done.stderr
    assert (releases.parent / ".pulumi/bin/pulumi").is_file()
    assert (releases.parent / "project/.venv/bin/python").exists()
    for file in releases.iterdir():
        file.unlink()  # the second time nothing is fetched
    assert install(run, releases).returncode == 0


@pytest.mark.parametrize("change", ["other sum", "no line"])
def test_an_engine_without_the_listed_checksum_is_refused(run: Run, releases: Path, change: str) -> None:
    [listed] = releases.glob("*.txt")
    listed.write_text(f"{'1' * 64}  {next(releases.glob('*.gz')).name}\n" if change == "other sum" else "")
    done = install(run, releases)
    assert done.returncode == 1
    assert "does not have the checksum" in done.stderr
    assert not (releases.parent / ".pulumi/bin/pulumi").exists()


CREDENTIALS = {"AccessKeyId": "id", "SecretAccessKey": "se'cret", "SessionToken": "token"}


def aws(run: Run, api: Api, **more: str) -> Any:
    variables = {
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/ci", "AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_STS": api.address,
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{api.address}/token?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job",
    }  # fmt: skip
    return run("aws_session.py", **{**variables, **more})


def test_a_token_is_exchanged_once_for_a_session(run: Run, api: Api) -> None:
    answer = {"AssumeRoleWithWebIdentityResponse": {"AssumeRoleWithWebIdentityResult": {"Credentials": CREDENTIALS}}}
    api.answer = lambda one: (200, {"value": "who-i-am"}) if one.path == "/token" else (200, answer)
    done = aws(run, api, GITHUB_ACTIONS="true")
    assert done.stdout.splitlines() == [
        "export AWS_ACCESS_KEY_ID=id",
        "export AWS_SECRET_ACCESS_KEY='se'\"'\"'cret'",
        "export AWS_SESSION_TOKEN=token",
    ]
    assert done.stderr.splitlines() == [f"::add-mask::{value}" for value in CREDENTIALS.values()]
    asked, exchanged = api.asked
    assert (asked.query["audience"], asked.headers["Authorization"]) == (["sts.amazonaws.com"], "bearer job")
    assert exchanged.body["WebIdentityToken"] == ["who-i-am"]
    assert exchanged.body["RoleArn"] == ["arn:aws:iam::1:role/ci"]


def test_a_session_that_is_refused_ends_the_script(run: Run, api: Api) -> None:
    refusal = {"Error": {"Code": "AccessDenied", "Message": "Not authorized to perform sts:AssumeRoleWithWebIdentity"}}
    api.answer = lambda one: (200, {"value": "who-i-am"}) if one.path == "/token" else (403, refusal)
    done = aws(run, api)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no session of AWS for arn:aws:iam::1:role/ci" in done.stderr
    assert "AccessDenied" in done.stderr
    assert "AWS_REGION" in run("aws_session.py", AWS_ROLE_ARN="a", CI_AWS_TOKEN="t").stderr


def protected(run: Run, api: Api, **more: str) -> Any:
    variables = {"GITHUB_API_URL": api.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "t"}
    return run("reviewed.py", "production", **{**variables, **more})


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (404, {"message": "Not Found"}, "environment production: cannot be looked up, so nothing is deployed"),
        (200, {"protection_rules": []}, "environment production: nobody has to approve a deployment"),
        (200, {"protection_rules": [{"type": "wait_timer", "wait_timer": 30}]}, "nobody has to approve"),
        (200, {"protection_rules": [{"type": "required_reviewers", "reviewers": []}]}, "nobody has to approve"),
    ],
)
def test_production_without_a_reviewer_gets_nothing(
    run: Run, api: Api, status: int, answer: dict[str, Any], told: str
) -> None:
    api.answer = lambda _one: (status, answer)
    done = protected(run, api)
    assert done.returncode == 1
    assert told in done.stderr
    assert protected(run, api, UNREVIEWED="accepted").returncode == 0


def test_production_with_a_reviewer_goes_on(run: Run, api: Api) -> None:
    rules = [{"type": "required_reviewers", "reviewers": [{"type": "Team"}, {"type": "User"}]}]
    api.answer = lambda _one: (200, {"protection_rules": rules})
    done = protected(run, api)
    assert (done.returncode, done.stdout) == (0, "production: 2 reviewers\n")
    assert [one.path for one in api.asked] == ["/repos/o/r/environments/production"]


def test_each_report_is_posted_and_one_that_cannot_be_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "tierstack"
    command.write_text('#!/bin/sh\necho "$*" >> calls\n[ "$3" != reports/prod.json ] || exit "${CODE:-0}"\n')
    command.chmod(0o755)
    (tmp_path / "reports").mkdir()
    for name in ("prod", "staging"):
        (tmp_path / "reports" / f"{name}.json").write_text(json.dumps({}))
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    assert run("post.sh", "github", PATH=path).returncode == 0
    assert run("post.sh", "github", PATH=path, CODE="4").returncode == 1
    lines = (tmp_path / "calls").read_text().splitlines()
    assert lines == [f"diff --report reports/{one}.json --post github --labels" for one in ("prod", "staging")] * 2


def test_credentials_are_files_of_this_user_for_as_long_as_the_script_runs(tmp_path: Path) -> None:
    shown = tmp_path / "shown.sh"
    shown.write_text(
        f'. "{SCRIPTS}/credentials.sh"\n'
        'stat -c %a "$KUBECONFIG"\ncat "$KUBECONFIG"\necho "$KUBECONFIG" > where\necho "${DOCKER_HOST-unset}"\n'
    )
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG_CONTENT": "apiVersion: v1", "DOCKER_HOST": ""}
    done = subprocess.run(["bash", "-eu", shown], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["600", "apiVersion: v1", "unset"], done.stderr
    assert not Path((tmp_path / "where").read_text().strip()).exists()
