"""The state of the backups for Prometheus, in its text format 0.0.4.

The agent in the container runs this very file. It imports the standard library only.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 9480
PREFIX = "tierstack_backups"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HELP = {
    "healthy": "1 while every moment from the oldest backup to now can be restored.",
    "wal_streaming": "1 while WAL arrives from the primary.",
    "base_backup_late": "1 while a base backup is missing or overdue.",
    "base_backup_shrunk": "1 while the newest base backup has less than half the bytes of the one before.",
    "last_base_backup_bytes": "Bytes of the newest base backup.",
    "last_base_backup_timestamp_seconds": "When the newest base backup began.",
    "restorable_from_timestamp_seconds": "The earliest moment that can be restored.",
    "wal_lag_bytes": "WAL that the receiver has not confirmed yet.",
    "catalog_free_bytes": "Bytes that the catalog's disk has left.",
    "catalog_size_bytes": "Bytes of the catalog's disk.",
    "drill_good": "1 if the last drill was good.",
    "drill_good_timestamp_seconds": "When the last good drill ended.",
    "drill_rpo_seconds": "Time before the loss whose writes the last good drill did not bring back.",
    "drill_rto_seconds": "Time from the loss to an answering database in the last good drill.",
    "drill_rows_lost": "Acknowledged rows that the last good drill did not bring back.",
    "store_backlog_segments": "Complete segments of WAL that are not in the bucket.",
    "store_behind_seconds": "Age of the oldest of them.",
    "store_base_backups": "Base backups in the bucket.",
    "checked_timestamp_seconds": "When all of this was last judged, once a minute.",
}


def values(document: Mapping[str, Any]) -> dict[str, float]:
    """The metrics in a status document; what is not known is left out."""
    last = document["last_backup"]
    drills: list[dict[str, Any]] = document.get("drills") or []
    nothing: dict[str, Any] = {}
    store = document.get("store") or nothing
    good = next((one for one in reversed(drills) if one["result"] == "good"), nothing)
    found: dict[str, float | None] = {
        "healthy": document["healthy"],
        "wal_streaming": document["wal_streaming"],
        "base_backup_late": document["base_backup_late"],
        "base_backup_shrunk": document.get("base_backup_shrunk"),
        "last_base_backup_bytes": last and last["size_bytes"],
        "last_base_backup_timestamp_seconds": seconds(last and last["begin"]),
        "restorable_from_timestamp_seconds": seconds(document["restorable_from"]),
        "wal_lag_bytes": document["wal_lag_bytes"],
        "catalog_free_bytes": document["catalog"]["free_bytes"],
        "catalog_size_bytes": document["catalog"]["size_bytes"],
        "drill_good": drills[-1]["result"] == "good" if drills else None,
        "drill_good_timestamp_seconds": seconds(good.get("ended_at")),
        "drill_rpo_seconds": good.get("rpo_seconds"),
        "drill_rto_seconds": good.get("rto_seconds"),
        "drill_rows_lost": good.get("rows_lost"),
        "store_backlog_segments": store.get("backlog"),
        "store_behind_seconds": store.get("behind_seconds"),
        "store_base_backups": store.get("base_backups"),
        "checked_timestamp_seconds": seconds(document["checked_at"]),
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def text(document: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """The page that Prometheus reads."""
    return page_of(PREFIX, _HELP, values(document), labels)


def page_of(prefix: str, texts: Mapping[str, str], values: Mapping[str, float], labels: Mapping[str, str]) -> str:
    """The page of some metrics. `texts`: what each says, by its name."""
    shown = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    lines: list[str] = []
    for name, value in values.items():
        metric = f"{prefix}_{name}"
        lines += [f"# HELP {metric} {texts[name]}", f"# TYPE {metric} gauge", f"{metric}{{{shown}}} {value:.15g}"]
    return "\n".join(lines) + "\n"


def serve(page: Callable[[], str | None], port: int = PORT) -> ThreadingHTTPServer:
    """Answer `GET /metrics` with `page()` in the background; 503 while it has nothing to say."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            found = page() if self.path == "/metrics" else None
            code = 404 if self.path != "/metrics" else 503 if found is None else 200
            body = (found or "").encode()
            self.send_response(code)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a line a scrape says nothing to a reader of the log."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def seconds(at: str | None) -> float | None:
    """A moment in seconds since 1970. None: it is not known."""
    return datetime.fromisoformat(at).timestamp() if at else None
