"""Which test files continuous integration runs again."""

import re
from pathlib import Path

import pytest

from toolchain import proofs
from toolchain.proofs import Pass

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "tests/database/docker/test_docker.py"
SHOP = "tests/docker/test_shop.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with three packages, of which the database imports one, and a test of each kind."""
    files = {
        "components/tierstack/__init__.py": "from tierstack.redis import (\n    Redis,\n)\nfrom tierstack.ca.made import CA",
        "components/tierstack/database/__init__.py": "from tierstack.ca import made",
        "components/tierstack/ca/made.py": "",
        "components/tierstack/redis/__init__.py": "from tierstack import tier",
        "components/tierstack/tier.py": "import tierstack.errors",
        "components/tierstack/errors.py": "",
        DATABASE: 'PROGRAM = """\nfrom tierstack.database import Database\n"""',
        "tests/redis/docker/test_redis.py": "from tierstack import CA, Redis",
        SHOP: "",
        "images/build.py": "",
        "stacks/__main__.py": "",
        "docs/page.md": "",
        "toolchain/ci.toml": '[minutes]\ntotal = 80\n[engine]\nfull_until = 60\nfiles = []\nshort = []\n[docker]\nfull_until = 25\nfiles = ["tests/*/docker/test_*.py", "tests/docker/test_*.py"]\n'
        f'short = ["{SHOP}"]\n[cluster]\nfull_until = 25\nfiles = []\nshort = []\n',
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("components/tierstack/database/__init__.py", {DATABASE, SHOP}),
        ("components/tierstack/ca/made.py", {DATABASE, "tests/redis/docker/test_redis.py", SHOP}),
        ("components/tierstack/errors.py", {"tests/redis/docker/test_redis.py", SHOP}),
        ("tests/redis/docker/test_redis.py", {"tests/redis/docker/test_redis.py"}),
        ("images/build.py", {DATABASE, "tests/redis/docker/test_redis.py", SHOP}),
        ("stacks/__main__.py", {SHOP}),
        ("docs/page.md", set[str]()),
    ],
)
def test_a_change_touches_the_tests_that_depend_on_it(checkout: Path, file: str, touched: set[str]) -> None:
    files = proofs.load(checkout).suites["docker"].files
    passes = {one: Pass(proofs.key(checkout, one), 1, "2026-01-01") for one in files}
    assert proofs.changed(checkout, files, passes) == []
    (checkout / file).write_text("# changed")
    assert set(proofs.changed(checkout, files, passes)) == touched


def test_a_change_of_the_cluster_touches_the_tests_that_run_on_it(checkout: Path) -> None:
    cluster = "tests/cluster/test_loss.py"
    for name in ("devcluster/nodes.py", cluster):
        (checkout / name).parent.mkdir(parents=True)
        (checkout / name).write_text("")
    passes = {one: Pass(proofs.key(checkout, one), 1, "2026-01-01") for one in (cluster, SHOP)}
    (checkout / "devcluster/nodes.py").write_text("# changed")
    assert proofs.changed(checkout, [cluster, SHOP], passes) == [cluster]


def test_the_longest_unproven_comes_first(checkout: Path) -> None:
    passes = {"b": Pass("", 1, "2026-02-01"), "c": Pass("", 1, "2026-01-01")}
    for name in "abc":
        (checkout / "tests" / name).mkdir()
    files = [f"tests/{name}/test_it.py" for name in "abc"]
    passes = {f"tests/{name}/test_it.py": one for name, one in passes.items()}
    assert proofs.changed(checkout, files, passes) == [files[0], files[2], files[1]]


def test_a_short_form_names_files_of_its_suite(checkout: Path) -> None:
    plan = proofs.load(checkout)
    assert plan.suites["docker"].full == (DATABASE, "tests/redis/docker/test_redis.py")
    (checkout / SHOP).unlink()
    with pytest.raises(ValueError, match=r"test_shop\.py: no such test file"):
        proofs.load(checkout)


def test_the_record_survives_and_a_broken_one_is_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "ci" / "passed.json"
    assert proofs.read_passes(file) == {}
    passes = {"tests/a.py": Pass("k", 2.5, "2026-01-01T00:00:00+00:00")}
    proofs.write_passes(file, passes)
    assert proofs.read_passes(file) == passes
    for text in ("", "[]", '{"tests/a.py": {"colour": 1}}'):
        file.write_text(text)
        assert proofs.read_passes(file) == {}


def test_every_file_of_this_repository_is_in_one_form_and_every_package_in_the_short_one() -> None:
    suites = proofs.load(ROOT).suites
    tests = list((ROOT / "tests").rglob("test_*.py"))
    for name in ("docker", "cluster"):
        assert set(suites[name].files) == {str(one.relative_to(ROOT)) for one in tests if name in one.parts[-3:]}
    marked = {
        str(one.relative_to(ROOT)) for one in tests if re.search(r"^pytestmark = .*\.long\b", one.read_text(), re.M)
    }
    assert set(suites["engine"].files) == marked, "`make test` leaves out what is marked `long`"
    docker = suites["docker"]
    packages = {Path(file).parts[1] for file in docker.files}
    by_the_shop = {
        "app_cluster",
        "core",
        "database",
    }  # tests/docker/test_shop.py brings them up, changes them, loads them
    too_long = {"backup_schedule", "recovery"}
    assert packages - {Path(file).parts[1] for file in docker.short} == by_the_shop | too_long
