"""`tierstack certificates check` against real TLS servers on this machine."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.tls.pairs import NOW, Pair
from tierstack.engine.project import UsageError


@contextmanager
def server(pair: Pair, folder: Path) -> Iterator[int]:
    """Shows the certificate to whoever asks; its port."""
    (folder / "chain.pem").write_text(pair.chain)
    (folder / "key.pem").write_text(pair.key)
    (folder / "ca.pem").write_text(pair.root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:
                continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def pair(days_of_90: int) -> Pair:
    """A certificate of 90 days, of which so many are left."""
    left = datetime.now(UTC) - NOW + timedelta(days=days_of_90, minutes=5)
    return Pair.make(["shop.example.org"], start=left - timedelta(days=90), end=left)


@pytest.mark.parametrize(("days", "below", "code"), [(60, "17", 0), (16, "17", 0), (15, "17", 1), (60, "70", 1)])
def test_the_share_that_is_left(tierstack: Command, tmp_path: Path, days: int, below: str, code: int) -> None:
    with server(pair(days), tmp_path) as port:
        host = f"shop.example.org:{port}"
        options = ["--address", "127.0.0.1", "--ca", str(tmp_path / "ca.pem"), "--below", below]
        done = tierstack("certificates", "check", host, *options)
        assert done.exit_code == code, done.stdout
        found = json.loads(tierstack("certificates", "check", host, *options, "--json").stdout)
    assert found["ok"] is (code == 0)
    (one,) = found["certificates"]
    assert one["percent_left"] == days * 100 // 90
    assert one["issuer"] == "intermediate"
    assert ("was not renewed" in (one["problem"] or "")) is (code == 1)


def test_another_name_another_ca_and_nobody(tierstack: Command, tmp_path: Path) -> None:
    with server(pair(60), tmp_path) as port:
        known = ["--address", "127.0.0.1", "--ca", str(tmp_path / "ca.pem"), "--json"]
        done = tierstack("certificates", "check", f"other.example.org:{port}", f"shop.example.org:{port}", *known)
        assert done.exit_code == 1, "one bad of two"
        other, good = json.loads(done.stdout)["certificates"]
        assert "not valid for 'other.example.org'" in other["problem"]
        assert good["ok"]
        done = tierstack("certificates", "check", f"shop.example.org:{port}", "--address", "127.0.0.1")
        assert done.exit_code == 1
        assert "the certificate is refused" in done.stdout
    done = tierstack("certificates", "check", f"shop.example.org:{port}", *known)
    assert "no TLS at 127.0.0.1" in json.loads(done.stdout)["certificates"][0]["problem"]


def test_a_certificate_whose_name_stands_in_its_common_name_alone_is_refused(
    tierstack: Command, tmp_path: Path
) -> None:
    """As browsers refuse it (RFC 9525 section 6.3)."""
    with server(Pair.make([]), tmp_path) as port:
        known = ["--address", "127.0.0.1", "--ca", str(tmp_path / "ca.pem")]
        done = tierstack("certificates", "check", f"site:{port}", *known)
    assert done.exit_code == 1
    assert "the certificate is refused" in done.stdout


@pytest.mark.parametrize("form", [str.encode, lambda text: b"\xef\xbb\xbf" + text.replace("\n", " ").encode()])
def test_a_ca_in_the_form_in_which_it_arrives(tierstack: Command, tmp_path: Path, form: Callable[[str], bytes]) -> None:
    shown = pair(60)
    with server(shown, tmp_path) as port:
        (tmp_path / "mine.pem").write_bytes(form(shown.root))
        options = ["--address", "127.0.0.1", "--ca", str(tmp_path / "mine.pem")]
        assert tierstack("certificates", "check", f"Shop.example.org.:{port}", *options).exit_code == 0


WRONG_HOSTS = [
    *("https://shop.example.org", "shop.example.org:https", ":443", "", ".", "a b"),
    *("shop..example.org", ".example.org", f"{'x' * 64}.example.org", ".".join(["x" * 60] * 5)),
    *("shop.example.org:0", "shop.example.org:65536", "::1", "[::1", "[shop]:443"),
]


@pytest.mark.parametrize("wrong", WRONG_HOSTS)
def test_a_host_that_is_none(tierstack: Command, wrong: str) -> None:
    assert isinstance(tierstack("certificates", "check", wrong).exception, UsageError)


def test_a_ca_that_is_none(tierstack: Command, tmp_path: Path) -> None:
    for text in ("", "nothing"):
        (tmp_path / "ca.pem").write_text(text)
        done = tierstack("certificates", "check", "shop.example.org", "--ca", str(tmp_path / "ca.pem"))
        assert isinstance(done.exception, UsageError)
    assert isinstance(tierstack("certificates", "check", "a.b", "--ca", "no-such-file").exception, UsageError)
