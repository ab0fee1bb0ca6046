"""`make outdated`: reading pins, the order of versions, the answers of registries, the report. Offline."""

import json
import tomllib
from pathlib import Path

import pytest

from tierstack.cluster_addons.catalog import CATALOG, Addon
from toolchain import place
from toolchain.outdated import known, newest, pinned, report, versions
from toolchain.outdated.known import Known, Vulnerability
from toolchain.outdated.newest import Versions
from toolchain.outdated.pinned import ACTION, DEBIAN, GO, NPM, PYTHON, Pin

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    "ordered",
    [
        ["v1.2.3", "v1.2.10", "v1.10.0", "v2.0.0"],
        ["v1.5.0-rc.1", "v1.5.0-rc.2", "v1.5.0", "v1.5.1"],
        ["v0.5.2-0.20260720143032-950b0f57e122", "v0.5.2", "v0.6.0"],
        ["2026.10.19", "2026.10.19.post1", "2026.10.20"],
        ["1.0.dev3", "1.0a1", "1.0rc1", "1.0", "1.0.1"],
        ["1.26.4", "1.26.11", "1.27.4"],
        ["v4", "v4.2.2", "v5"],
    ],
)
def test_versions_are_ordered(ordered: list[str]) -> None:
    keys = [versions.key(one) for one in ordered]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_trailing_zeros_do_not_make_a_version_newer() -> None:
    assert versions.key("v1.5.0") == versions.key("1.5")


def test_a_text_without_a_number_is_no_version() -> None:
    with pytest.raises(ValueError, match="'main' is no version; write numbers"):
        versions.key("main")


@pytest.mark.parametrize(
    ("pin", "there", "expected"),
    [
        ("v1.34.2", ["v1.33.13", "v1.34.0", "v1.34.3", "v1.34.4", "v1.37.2"], ["v1.34.4", "v1.37.2"]),
        ("v3.7.12", ["v3.7.12", "v3.7.13"], ["v3.7.13"]),
        ("v1.6.0", ["v1.6.0", "v1.7.0-rc.1"], []),
        ("v0.5.1", ["v0.5.2-0.20260720143032-950b0f57e122"], []),
        ("v1.0.0", [], []),
    ],
)
def test_newest_patch_and_newest_release_are_offered(pin: str, there: list[str], expected: list[str]) -> None:
    assert versions.newer(pin, there) == expected


@pytest.mark.parametrize(
    ("version", "introduced", "fixed", "affected"),
    [
        ("v1.11.5", "", ["v1.12.14", "v1.15.4", "v1.16.2"], True),  # a line without a fix of its own
        ("v1.15.3", "", ["v1.12.14", "v1.15.4", "v1.16.2"], True),
        ("v1.15.4", "", ["v1.12.14", "v1.15.4", "v1.16.2"], False),
        ("v1.12.14", "", ["v1.12.14", "v1.15.4", "v1.16.2"], False),
        ("v1.13.9", "", ["v1.12.14", "v1.15.4", "v1.16.2"], True),
        ("v1.17.0", "", ["v1.12.14", "v1.15.4", "v1.16.2"], False),
        ("v1.17.9", "v1.18.0", ["v1.18.5"], False),
        ("v1.18.0", "v1.18.0", ["v1.18.5"], True),
        ("v9", "", [], True),
    ],
)
def test_the_fix_of_the_own_line_decides(version: str, introduced: str, fixed: list[str], affected: bool) -> None:
    assert versions.is_affected(version, introduced, fixed) is affected


def test_requirements_of_a_module_follow_its_replacements() -> None:
    go_mod = (
        "module m\n\nrequire example.org/a/v2 v2.1.0\n\nrequire (\n\texample.org/b v0.1.0\n"
        "\texample.org/c v1.0.0 // indirect\n\texample.org/d v0.0.0\n)\n\n"
        "replace (\n\texample.org/d => ./d\n\texample.org/b => example.org/fork v0.2.0\n)\n"
    )
    assert pinned.required(go_mod) == [("example.org/a/v2", "v2.1.0"), ("example.org/fork", "v0.2.0")]
    assert ("example.org/c", "v1.0.0") in pinned.required(go_mod, indirect=True)


def test_locked_packages_and_actions_are_read() -> None:
    lock = "barman[cloud]==3.19.1 \\\n    --hash=sha256:00\ncffi==2.1.1 ; python_version < '4' \\\n    # via x\n"
    assert pinned.locked(lock) == [("barman", "3.19.1"), ("cffi", "2.1.1")]
    digest = "11bd71901bbe5b1630ceea73d27597364c9af683"
    steps = f"- uses: actions/checkout@{digest} # v4.2.2\n- uses: a/b/sub@v3\n- uses: ./local\n"
    assert pinned.used_actions(steps) == [("actions/checkout", "v4.2.2"), ("a/b", "v3")]


def test_every_kind_of_pin_of_this_repository_is_read() -> None:
    pins = pinned.read(place.ROOT)
    assert {pin.kind for pin in pins} == {GO, PYTHON, NPM, ACTION, DEBIAN}
    by_name = {pin.name: pin for pin in pins}
    settings = tomllib.loads((place.ROOT / "toolchain/pins.toml").read_text())
    built = f"v{settings['tools']['traefik']['version']}"
    (traefik,) = [pin for pin in pins if (pin.name, pin.version) == ("github.com/traefik/traefik/v3", built)]
    assert "toolchain/modules/traefik" in traefik.where
    for source in settings["schemas"].values():
        name, version = source["module"].rsplit("@", 1)
        assert any((pin.name, pin.version) == (name, version) for pin in pins), name
    assert {name for name, _ in pinned.locked((place.ROOT / "requirements.lock").read_text())} <= set(by_name)
    for pin in pins:
        assert versions.key(pin.version), pin


def test_what_users_install_is_a_pin_too() -> None:
    """It may be ahead of what the tests' programs are built from."""
    places = {(pin.name, pin.version): pin.where for pin in pinned.read(place.ROOT)}
    catalog = "components/tierstack/cluster_addons/catalog.py"
    assert catalog in places["github.com/cert-manager/cert-manager", f"v{CATALOG[Addon.CERT_MANAGER].version}"]
    assert sum(catalog in where for where in places.values()) == len(CATALOG)
    image = json.loads((place.ROOT / "images/official.json").read_text())["traefik:3.7"]
    assert "images/official.json" in places["github.com/traefik/traefik/v3", f"v{image['version']}"]


def test_what_is_held_back_is_pinned() -> None:
    settings = tomllib.loads((place.ROOT / "toolchain/pins.toml").read_text())
    assert set(settings["held"]) <= {pin.name for pin in pinned.read(place.ROOT)}


def test_go_answers() -> None:
    there = Versions()
    newest.read_go(
        '{"Path": "a.org/x", "Versions": ["v1.0.0", "v1.1.0"]}\n'
        '{"Path": "a.org/y", "Error": {"Err": "reading list: 403\\n\\tserver response: not available."}}\n'
        '{"Path": "a.org/z", "Version": "v1"}\n'
        '{"Path": "a.org/n", "Error": {"Err": "module a.org/n: Get \\"https://p/a.org/n/@v/list\\": dial tcp: no route"}}',
        there,
    )
    assert there.known == {(GO, "a.org/x"): ["v1.0.0", "v1.1.0"]}
    assert there.unknown == {
        (GO, "a.org/y"): "server response: not available.",
        (GO, "a.org/z"): "the proxy lists no version",
        (GO, "a.org/n"): "dial tcp: no route",
    }


def test_answers_of_the_other_registries() -> None:
    there = Versions()
    pip = (
        "pyyaml==6.0.4\nbarman==3.19.1 ; python_full_version < '3.12'\nbarman==3.20.1 ; python_full_version >= '3.12'\n"
    )
    newest.read_pip(pip, ["PyYAML", "barman", "rich"], there)
    newest.read_npm('{"@p/p": {"wanted": "1.0.0", "latest": "2.0.0"}}', ["@p/p", "other"], there)
    newest.read_apt(
        "haproxy:\n  Installed: (none)\n  Candidate: 3.0.11-1+deb13u1\n  Version table:\n     1\n"
        "postgresql-17:\n  Installed: (none)\n  Candidate: 17.9-0+deb13u1\nnone:\n  Candidate: (none)\n",
        there,
    )
    assert there.known == {
        (PYTHON, "PyYAML"): ["6.0.4"],
        (PYTHON, "barman"): ["3.19.1", "3.20.1"],
        (NPM, "@p/p"): ["2.0.0"],
        (NPM, "other"): [],
        (DEBIAN, "haproxy"): ["3.0.11"],
        (DEBIAN, "postgresql-17"): ["17.9"],
    }
    assert there.unknown == {(PYTHON, "rich"): "the index lists no version"}
    assert newest.read_tags("0123\trefs/tags/v4.2.2\n4567\trefs/tags/latest\n89\trefs/tags/v5\n") == ["v4.2.2", "v5"]


def test_a_program_that_is_absent_or_fails_is_a_reason_not_an_error(tmp_path: Path) -> None:
    assert newest.run(["no-such-program"], tmp_path)[1] == "no-such-program is not installed"
    text, reason = newest.run(["sh", "-c", "echo some; echo why >&2; exit 3"], tmp_path)
    assert (text, reason) == ("some\n", "why")
    assert newest.run(["sh", "-c", "echo some; exit 1"], tmp_path, accept=(0, 1)) == ("some\n", "")
    # A code that means findings, without any: the program could not look.
    assert newest.run(["sh", "-c", "echo refused >&2; exit 1"], tmp_path, accept=(0, 1)) == ("", "refused")


UNREACHABLE = '{"error": {"code": "ECONNREFUSED", "summary": "request to the registry failed", "detail": ""}}'


def test_a_registry_that_does_not_answer_leaves_nothing_up_to_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """npm ends with the code of its findings, and so do others: that is no answer."""

    def refused(command: list[str], *_: object, **__: object) -> tuple[str, str]:
        return (UNREACHABLE, "") if command[0] == "npm" else ("", "connection refused")

    monkeypatch.setattr(newest, "run", refused)
    monkeypatch.setattr(newest.download, "answers", lambda url: False)
    monkeypatch.setattr(newest, "codename", lambda: newest.IMAGES_RUN)
    pins = [Pin(kind, f"a/{kind}", "1.0.0", ("file",)) for kind in (GO, PYTHON, NPM, ACTION, DEBIAN)]
    there = newest.ask(pins, tmp_path)
    assert there.known == {}
    assert set(there.unknown) == {(pin.kind, pin.name) for pin in pins}
    assert there.unknown[NPM, "a/npm"] == "request to the registry failed"
    table = report.rows(pins, there, Known())
    assert report.exit_code(table, Known(), strict=False) == 0
    assert report.exit_code(table, Known(), strict=True) == 1
    assert "connection refused" in report.text(table, Known(), {})


@pytest.mark.parametrize(("said", "known"), [("12.4.0\n", ["12.4.0"]), ("", None), ("npm error 404", None)])
def test_a_package_without_a_lock_file_is_asked_for_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, known: list[str] | None
) -> None:
    def answer(command: list[str], *_: object, **__: object) -> tuple[str, str]:
        return (said, "") if command == ["npm", "view", "mermaid", "version"] else ("", "not asked")

    monkeypatch.setattr(newest, "run", answer)
    there = newest.ask([Pin(NPM, "mermaid", "12.3.0", (pinned.DOCS,))], tmp_path)
    assert there.known.get((NPM, "mermaid")) == known
    assert set(there.unknown) == (set() if known else {(NPM, "mermaid")})


def test_databases_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "run", lambda *_, **__: ("", "connection refused"))
    monkeypatch.setattr(known.download, "answers", lambda url: False)
    monkeypatch.delenv("GOVULNDB", raising=False)
    pins = pinned.read(place.ROOT)
    found = known.ask(pins, {"govulncheck": "example.org/vuln@v1", "pip-audit": "1.0"}, place.ROOT)
    assert found.unasked["govulncheck"] == "its database https://vuln.go.dev does not answer"
    assert found.unasked["npm audit"] == found.unasked["pip-audit of requirements.lock"] == "connection refused"
    assert found.list_date
    current = [report.Row(FIXED)]
    assert report.exit_code(current, found, strict=True) == 1
    assert "  npm audit: connection refused" in report.text(current, found, {})


CRYPTO = Pin(GO, "example.org/crypto", "v0.7.0", ("toolchain/modules/a",))
FIXED = Pin(GO, "example.org/crypto", "v0.9.0", ("toolchain/modules/b",))


def osv(*events: dict[str, str], **more: object) -> str:
    entry = {
        "id": "GO-2026-0001",
        "aliases": ["GHSA-x", "CVE-2026-1"],
        "summary": "made up",
        "affected": [{"package": {"name": "example.org/crypto"}, "ranges": [{"type": "SEMVER", "events": events}]}],
    }
    return json.dumps({"config": {}}) + json.dumps({"osv": entry | more})


def test_entries_of_govulncheck_are_matched_with_versions() -> None:
    text = osv({"introduced": "0"}, {"fixed": "0.8.0"})
    assert known.from_govulncheck(text, [CRYPTO, FIXED]) == [
        Vulnerability(CRYPTO, "CVE-2026-1", ("v0.8.0",), "made up", "https://pkg.go.dev/vuln/GO-2026-0001")
    ]
    assert known.from_govulncheck(osv({"introduced": "0.8.0"}), [CRYPTO, FIXED])[0].pin == FIXED
    again = osv({"introduced": "0"}, {"fixed": "0.5.0"}, {"introduced": "0.6.0"}, {"fixed": "0.9.0"})
    assert [one.pin for one in known.from_govulncheck(again, [CRYPTO, FIXED])] == [CRYPTO]
    assert not known.from_govulncheck(osv({"introduced": "0"}, withdrawn="2026-01-01"), [CRYPTO])


def test_a_fix_that_go_cannot_name_counts() -> None:
    """A module whose path has no /v2 has releases of v2 that are no Go versions: their ranges stand apart."""
    affected = {
        "package": {"name": "example.org/crypto"},
        "ranges": [{"events": [{"introduced": "0"}]}],
        "ecosystem_specific": {"custom_ranges": [{"events": [{"introduced": "0"}, {"fixed": "2.4.0"}]}]},
    }
    text = osv(affected=[affected])
    ahead = Pin(GO, "example.org/crypto", "v2.9.0", ("catalog",))
    (one,) = known.from_govulncheck(text, [CRYPTO, ahead])
    assert (one.pin, one.fixed) == (CRYPTO, ("v2.4.0",))


def test_reports_of_npm_audit() -> None:
    lock = json.dumps(
        {
            "packages": {
                "": {},
                "node_modules/tar": {"version": "7.0.0"},
                "node_modules/a/node_modules/b": {"version": "1.0.0"},
            }
        }
    )
    cause = {"title": "escapes its folder", "url": "https://github.com/advisories/GHSA-1", "severity": "high"}
    text = json.dumps({
        "vulnerabilities": {
            "tar": {"via": [cause], "fixAvailable": {"name": "tar", "version": "7.1.0"}},
            "b": {"via": ["tar"], "fixAvailable": True},
        }
    })  # fmt: skip
    pin = Pin(NPM, "tar", "7.0.0", ("toolchain/npm/package-lock.json",))
    assert known.from_npm_audit(text, lock, []) == [
        Vulnerability(pin, "GHSA-1", ("7.1.0",), "escapes its folder", "https://github.com/advisories/GHSA-1")
    ]
    with pytest.raises(ValueError, match="405 Method Not Allowed"):
        known.from_npm_audit('{"message": "405 Method Not Allowed", "error": {"summary": ""}}', lock, [])


def test_every_module_that_a_program_is_built_with_is_asked_about() -> None:
    modules = known.build_list(pinned.read(place.ROOT), place.ROOT)
    assert len({(pin.name, pin.version) for pin in modules}) == len(modules) > 500
    crypto = [pin for pin in modules if pin.name == "golang.org/x/crypto"]
    assert crypto
    assert all(place.startswith("toolchain/modules/") for pin in crypto for place in pin.where)


def test_packages_that_pip_audit_does_not_know_are_not_clean() -> None:
    text = json.dumps(
        {
            "dependencies": [
                {"name": "Jinja2", "version": "3.1.2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.3"],
                    "aliases": ["CVE-2024-22195"], "description": "XSS\nmore"}]},
                {"name": "rich", "version": "14.0.0", "vulns": []},
                {"name": "barman", "skip_reason": "Dependency not found"},
            ]
        }
    )  # fmt: skip
    pin = Pin(PYTHON, "jinja2", "3.1.2", ("requirements.lock",))
    found, skipped = known.from_pip_audit(text, [pin])
    assert found == [Vulnerability(pin, "CVE-2024-22195", ("3.1.3",), "XSS", "https://osv.dev/vulnerability/PYSEC-1")]
    assert skipped == ["barman"]


def test_the_dated_list_is_about_things_that_are_pinned() -> None:
    """An entry whose name is misspelt would stay silent for ever."""
    data = tomllib.loads(known.LIST.read_text())
    pins = pinned.read(place.ROOT)
    names = {(pin.kind, pin.name) for pin in pins}
    ids = [(entry["id"], entry["name"]) for entry in data["advisories"]]
    assert len(set(ids)) == len(ids)
    for entry in data["advisories"]:
        assert (entry["kind"], entry["name"]) in names, entry["id"]
        assert entry["source"].startswith("https://"), entry["id"]
        for version in (*entry["fixed"], *([entry["introduced"]] if "introduced" in entry else [])):
            assert versions.key(version), entry["id"]


def test_the_dated_list_marks_versions_below_the_fix_only() -> None:
    text = (
        'date = 2026-01-02\n[[advisories]]\nid = "CVE-1"\nkind = "go"\nname = "example.org/crypto"\n'
        'fixed = ["v0.8.0"]\nsummary = "s"\nsource = "https://example.org/1"\n'
    )
    assert known.from_list(text, [CRYPTO, FIXED]) == (
        [Vulnerability(CRYPTO, "CVE-1", ("v0.8.0",), "s", "https://example.org/1")],
        "2026-01-02",
    )


@pytest.fixture
def table() -> list[report.Row]:
    there = Versions(
        known={(GO, "example.org/crypto"): ["v0.7.0", "v0.9.0"], (PYTHON, "rich"): []},
        unknown={(ACTION, "actions/cache"): "the server does not answer"},
    )
    found = Known(found=[Vulnerability(CRYPTO, "CVE-1", ("v0.8.0",), "a fault", "https://example.org/1")])
    pins = [
        CRYPTO,
        Pin(PYTHON, "rich", "14.0.0", ("requirements.lock",)),
        Pin(ACTION, "actions/cache", "v4", ("ci.yml",)),
    ]
    return report.rows(pins, there, found)


def test_the_table(table: list[report.Row]) -> None:
    told = Known(unasked={"pip-audit": "not installed"}, list_date="2026-01-02")
    assert report.text(table, told, {"example.org/crypto": "because", "rich": "not shown"}).split("\n\n") == [
        "VULNERABLE          VERSION  ADVISORY  FIXED IN  WHAT\nexample.org/crypto  v0.7.0   CVE-1     v0.8.0    a fault",
        "BEHIND              VERSION  NEWER   PINNED IN\nexample.org/crypto  v0.7.0   v0.9.0  toolchain/modules/a",
        "HELD BACK\n  example.org/crypto: because",
        "NOT LOOKED UP\n  newest version of actions/cache: the server does not answer\n  pip-audit: not installed",
        "3 pins: 1 with known vulnerabilities (1), 1 behind, 1 without an answer.\n"
        "The list in toolchain/outdated/advisories.toml is of 2026-01-02. Only it knows vulnerabilities of: action.",
    ]  # fmt: skip


def test_json_holds_every_pin(table: list[report.Row]) -> None:
    data = json.loads(report.as_json(table, Known(list_date="2026-01-02"), {}))
    assert [pin["name"] for pin in data["pins"]] == ["actions/cache", "example.org/crypto", "rich"]
    assert data["pins"][0]["not_looked_up"] == "the server does not answer"
    assert data["pins"][1]["vulnerabilities"][0]["fixed_in"] == ["v0.8.0"]
    assert data["list_only"] == ["action", "debian"]


def test_exit_code(table: list[report.Row]) -> None:
    behind = [report.Row(CRYPTO, newer=("v0.9.0",))]
    assert report.exit_code(table, Known(), strict=False) == 1
    assert report.exit_code(behind, Known(), strict=False) == 0
    assert report.exit_code(behind, Known(), strict=True) == 1
    assert report.exit_code([report.Row(FIXED)], Known(), strict=True) == 0
    assert report.exit_code([report.Row(FIXED, unknown="why")], Known(), strict=True) == 1


def test_a_list_that_ends_before_the_pin_is_no_answer() -> None:
    """A mirror may lack the very releases that are newest."""
    there = Versions(known={(GO, "example.org/crypto"): ["v0.1.0", "v0.8.0"]})
    behind, ahead = report.rows([CRYPTO, FIXED], there, Known())
    assert (behind.newer, behind.unknown) == (("v0.8.0",), "")
    assert (ahead.newer, ahead.unknown) == ((), "its list ends at v0.8.0, before the pinned v0.9.0")
