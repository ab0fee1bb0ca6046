"""Sizes and time-outs on the way of one request (pure), all derived from one release.

B is `http.max_body_mb`, R is `http.request_timeout_seconds`, S is `http.stop_seconds`.

| where | setting | value | reason |
|---|---|---|---|
| gateway | readTimeout | B at 64 KiB/s, at least 300 s | `proxy.traefik.read_seconds`; shared by its applications |
| gateway | responseHeaderTimeout | R + 5 s | nginx gives up first, and its answer says which application was slow |
| nginx | client_max_body_size | B | a larger body is refused with 413, before it is sent |
| nginx | client_body_timeout | 60 s | between two reads: how long a client may stall, not how long it may take |
| nginx | tmpfs /tmp | 4 bodies, at least 64 MiB | a body stays there until its request ends; the next one gets 503 |
| nginx | fastcgi_max_temp_file_size | 0 | an answer in a file is cut off, with status 200, when the tmpfs is full |
| nginx | large_client_header_buffers | 4 × 16 KiB | lines of 16 KiB, as AWS' load balancers admit; FastCGI has 64 |
| nginx | fastcgi_send_timeout, fastcgi_read_timeout | R | waiting for a child included |
| PHP | post_max_size, upload_max_filesize | B | PHP drops larger bodies without an error: it admits what nginx does |
| PHP | tmpfs /tmp | nginx's + 64 MiB | nginx keeps what PHP keeps, so it is nginx that is full first, and says so |
| PHP | max_execution_time | R | CPU time; waiting does not count on Linux |
| PHP-FPM | request_terminate_timeout | R + 5 s | after nginx has answered 504, so that a child is not held for nobody |
| nginx | worker_shutdown_timeout | S | |
| PHP-FPM | process_control_timeout | S | |
| both | time to stop | S + 5 s | then the daemon or the kubelet kills them |

An answer is passed on at the client's speed, so its child is busy until the client has it, but for the last 256 KiB.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from tierstack.app_cluster.release import Release
from tierstack.core.tier import web_memory_mb as children_memory_mb

STALL_SECONDS = 60
"""How long a client may send nothing in the middle of a body, in seconds."""
HEADER_BUFFERS = "4 16k"
_BODIES = 4  # the largest, at a time, in one replica
_SCRATCH_MB = 64  # MiB of /tmp for the application's own files
_DIGITS, _SIZE = re.compile(r"\d+"), re.compile(r"(\d+)([KMG]?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def stop_seconds(release: Release) -> int:
    """Seconds that requests get when their container stops: those given, else what the longest may take."""
    requests = release.requests
    return requests.request_timeout_seconds if requests.stop_seconds is None else requests.stop_seconds


def answer_seconds(release: Release) -> int:
    """Seconds after which nobody waits for an answer any more: PHP-FPM ends its child, the proxy its connection."""
    return release.requests.request_timeout_seconds + 5


def container_stop_seconds(release: Release) -> int:
    """Seconds until a container that was told to stop is killed."""
    return stop_seconds(release) + 5


def bodies_mb(release: Release) -> int:
    """MiB of nginx' tmpfs: the bodies of the requests in hand. Those up to 16 KiB stay in its buffers."""
    return max(64, _BODIES * release.requests.max_body_mb)


def nginx_memory_mb(release: Release) -> int:
    """MiB of an nginx container: its tmpfs, and 64 for the process and its buffers (5 were seen under load)."""
    return bodies_mb(release) + 64


def php_scratch_mb(release: Release) -> int:
    """MiB of /tmp of PHP-FPM."""
    return bodies_mb(release) + _SCRATCH_MB


def web_memory_mb(release: Release) -> int:
    """MiB that a PHP-FPM container needs: its children, PHP's own, opcache beyond that, and the bodies in its tmpfs."""
    counts = release.counts
    return children_memory_mb(counts.children, counts.child_memory_mb) + opcache_mb(release) + bodies_mb(release)


@dataclass(frozen=True, kw_only=True)
class PhpLimit:
    """What a setting of PHP has to agree with."""

    amount: float
    """The limit in bytes or seconds."""
    argument: str
    """The argument that it follows from."""
    shown: str
    """Argument and value, for a reader."""
    why_not_more: str
    """What holds whatever a larger value admits; follows "by which"."""
    why_not_less: str = ""
    """What a smaller value breaks; follows "by which". Empty: a smaller value is fine."""

    @property
    def may_be_less(self) -> bool:
        """Whether the setting may be below the limit."""
        return not self.why_not_less


def php_limits(release: Release) -> dict[str, PhpLimit]:
    """The limits of ours beside which settings of PHP stand, by the name of the setting."""
    child, requests = release.counts.child_memory_mb, release.requests
    body, seconds = requests.max_body_mb, requests.request_timeout_seconds
    bodies: dict[str, Any] = {
        "amount": body * 2**20,
        "argument": "http.max_body_mb",
        "shown": f"`http.max_body_mb` = {body} MiB",
        "why_not_more": "nginx refuses larger bodies with 413",
    }
    return {
        "memory_limit": PhpLimit(
            amount=child * 2**20,
            argument="php.child_memory_mb",
            shown=f"`php.child_memory_mb` = {child} MiB",
            why_not_more="the memory of the container is sized",
        ),
        "post_max_size": PhpLimit(
            **bodies, why_not_less="nginx admits bodies that PHP would then drop without an error"
        ),
        "upload_max_filesize": PhpLimit(**bodies),
        "max_execution_time": PhpLimit(
            amount=seconds,
            argument="http.request_timeout_seconds",
            shown=f"`http.request_timeout_seconds` = {seconds} s",
            why_not_more="nginx answers 504",
        ),
    }


def php_settings(release: Release) -> dict[str, str]:
    """The settings of PHP that the caller gives."""
    return (release.php.settings if release.php else None) or {}


def php_amount(value: str) -> float | None:
    """A size or time of php.ini in bytes or seconds (PHP manual, "Shorthand notation"); -1 has no limit. None: 0, which
    switches a limit off that nginx has all the same, or what is no number."""
    if value.strip() == "-1":
        return math.inf
    size = _SIZE.fullmatch(value.strip())
    return int(size[1]) * _UNITS[size[2].upper()] or None if size else None


def opcache_mb(release: Release) -> int:
    """MiB of shared memory that `php.settings` ask for, which PHP-FPM reserves at its start."""
    settings = php_settings(release)
    # php.ini: the first is in MiB whatever its unit, the second in bytes or with a unit.
    memory = _DIGITS.match(settings.get("opcache.memory_consumption", ""))
    jit = _SIZE.fullmatch(settings.get("opcache.jit_buffer_size", ""))
    found = int(memory[0]) if memory else 0
    return found + (int(jit[1]) * _UNITS[jit[2].upper()] // 2**20 if jit else 0)
