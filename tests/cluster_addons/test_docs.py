"""The page says what the code says: every addon with version and namespace."""

import re
from pathlib import Path

import yaml

from tierstack import Addon
from tierstack.cluster_addons import sources
from tierstack.cluster_addons.catalog import CATALOG
from tierstack.cluster_addons.required import Needs, missing

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/components/cluster-addons.md").read_text()


def test_addons_with_version_and_namespace() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \| (?:`([\w-]+)`|–) \|", PAGE, re.MULTILINE)
    assert rows == [(addon.value, release.version, release.namespace or "") for addon, release in CATALOG.items()]


def test_those_without_a_checksum_are_named() -> None:
    names = {one.value for one in Addon if sources.problems([one], None, {})}
    sentence = PAGE.split("are published as rendered release files only")[0].rpartition("\n`")[2]
    assert set(re.findall(r"([\w-]+)`", sentence)) == names


def test_the_message_is_that_of_the_check() -> None:
    crds = [name for name in CATALOG[Addon.CLOUDNATIVE_PG].crds if "poolers" not in name]
    (problem,) = missing(Needs((Addon.CLOUDNATIVE_PG,)), crds, [])
    assert str(problem) in re.sub(r"\s+", " ", PAGE)


def test_the_example_is_a_program_of_its_own() -> None:
    project = yaml.safe_load((ROOT / "examples/cluster/Pulumi.yaml").read_text())
    assert project["name"] == "cluster"
    assert "ts.ClusterAddons(" in (ROOT / "examples/cluster/__main__.py").read_text()


def test_the_page_takes_checksums_of_the_files_that_are_downloaded() -> None:
    wanted = {
        source.url.removeprefix("https://github.com")
        for addon in (Addon.CERT_MANAGER, Addon.EXTERNAL_SECRETS)
        for source in CATALOG[addon].sources
    }
    assert set(re.findall(r"\$\(sum \$vendors(/\S+?)\)", PAGE)) == wanted
