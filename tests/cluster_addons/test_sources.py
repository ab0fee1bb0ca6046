"""The vendors' files: downloaded once, checked, kept."""

import hashlib
from pathlib import Path

import pytest

from tierstack.cluster_addons import sources
from tierstack.cluster_addons.catalog import Addon

CONTENT = b"apiVersion: v1\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIERSTACK_CACHE", str(tmp_path))
    return tmp_path


def test_a_file_is_downloaded_once(home: Path) -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return CONTENT

    for _ in range(2):
        assert "apiVersion: v1" in sources.read(Addon.KEDA, None, {"keda": SHA}, fetch)
    assert asked == ["https://github.com/kedacore/keda/releases/download/v2.21.0/keda-2.21.0.yaml"]
    # A kept file that was changed since is not believed.
    (home / "addons" / f"{SHA}.yaml").write_text("changed")
    sources.read(Addon.KEDA, None, {"keda": SHA}, fetch)
    assert len(asked) == 2


def test_another_content_is_not_used(home: Path) -> None:
    with pytest.raises(ValueError, match=f"has the SHA-256 {SHA}, expected {'0' * 64}; not used"):
        sources.read(Addon.KEDA, None, {"keda": "0" * 64}, lambda _: CONTENT)
    assert not list(home.rglob("*.yaml"))


def test_nothing_is_downloaded_without_a_checksum() -> None:
    with pytest.raises(ValueError, match="no checksum is known"):
        sources.read(Addon.KEDA, None, {}, lambda _: CONTENT)


def test_only_https_is_asked() -> None:
    with pytest.raises(ValueError, match="is not an https address"):
        sources.download("file:///etc/hostname")


def test_a_silent_vendor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(OSError, match=r"https://x/y cannot be downloaded \(timed out\).*give `manifests`"):
        sources.download("https://x/y")
