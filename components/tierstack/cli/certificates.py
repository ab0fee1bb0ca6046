"""`tierstack certificates`: what servers show, and how much of its lifetime is left."""

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tierstack.cli import options, show
from tierstack.engine.project import UsageError
from tierstack.tls.observe import RefusedError, look

_PORT = 443
_HOST_PORT = re.compile(r"(\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<name>[^\s:/\[\].][^\s:/\[\]]*))(:(?P<port>[0-9]{1,5}))?")


@click.group
def run() -> None:
    """Certificates that servers show."""


@run.command(
    short_help="Whether each server shows a good certificate.",
    epilog=options.examples(
        "tierstack certificates check shop.example.org www.example.org",
        "tierstack certificates check shop.localhost:8443 --address 127.0.0.1 --ca ca.pem --json",
    ),
)
@click.argument("hosts", nargs=-1, required=True, metavar="HOST[:PORT]...")
@click.option(
    "--below",
    type=click.IntRange(0, 100),
    default=17,
    show_default=True,
    help="Fail where less than this share of the lifetime is left, in percent.",
)
@click.option("--address", metavar="ADDRESS", help="Connect here, not where the DNS says.")
@click.option("--ca", type=options.a_path(), metavar="FILE", help="Trust this CA (PEM) alone, such as the local one.")
@options.json
def check(hosts: tuple[str, ...], below: int, address: str | None, ca: Path | None, json: bool) -> None:
    """Ask each server for its certificate as a client does: right name, trusted, and not near its end.

    17 percent is half of the third of the lifetime at which certificates are renewed: below it, no renewal has worked.
    """
    context = _trust(ca)
    found = [_seen(host, below, address, context) for host in hosts]
    ok = all(one["ok"] for one in found)
    if json:
        show.as_json({"ok": ok, "below_percent": below, "certificates": found})
    else:
        for one in found:
            style = show.good if one["ok"] else show.bad
            show.say(f"{style(one['host'])}: {_told(one)}")
    show.end(ok=ok)


def _seen(host: str, below: int, address: str | None, context: ssl.SSLContext) -> dict[str, Any]:
    name, port = _parts(host)
    try:
        shown = look(name, port, context, address=address)
    except RefusedError as error:
        return {"host": host, "ok": False, "problem": str(error)}
    now = datetime.now(UTC)
    percent = shown.percent_left(now)
    return {
        "host": host,
        "ok": percent >= below,
        "problem": None if percent >= below else f"less than {below} % of the lifetime is left: it was not renewed",
        "percent_left": percent,
        "days_left": round((shown.not_after - now).total_seconds() / 86400, 1),
        "not_before": shown.not_before.isoformat(),
        "not_after": shown.not_after.isoformat(),
        "issuer": shown.issuer,
        "serial": shown.serial,
        "protocol": shown.protocol,
    }


def _told(one: dict[str, Any]) -> str:
    if "percent_left" not in one:
        return one["problem"]
    left = f"{one['percent_left']} % of its lifetime left ({one['days_left']} days)"
    text = f"{left}, until {one['not_after']}, by {one['issuer']}"
    return f"{text}; {one['problem']}" if one["problem"] else text


def _parts(host: str) -> tuple[str, int]:
    """The name as TLS asks for it, in ASCII, and the port."""
    found = _HOST_PORT.fullmatch(host)
    port = int(found["port"] or _PORT) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise UsageError(f"{host} is not HOST or HOST:PORT; write it as `shop.example.org` or `shop.example.org:8443`")
    if found["address"]:
        return found["address"], port
    from tierstack.dns_records.records.model import RecordError, absolute  # dnspython takes long to import

    try:
        return absolute(found["name"].removesuffix(".") + ".", "invalid."), port
    except RecordError as error:
        raise UsageError(str(error).replace(".` is not", "` is not")) from None


def _trust(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        return ssl.create_default_context()
    from tierstack.tls import pem  # what it needs to read certificates takes long to import

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=pem.certificates_pem(pem.read(ca)))
        return context
    except pem.PemError as error:
        raise UsageError(f"{ca} {error}; {error.fix}") from None
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise UsageError(f"{ca} is not a file with certificates as PEM") from None
