"""How many connections the proxy holds in its memory (pure), and what its runtime is told about it."""

BASE_MB = 96
"""MiB of a proxy without connections: its program, its configuration, and room for requests in hand."""
CONNECTION_KB = 40
"""KiB of an open TLS connection with all that belongs to it. Measured; docs/measurements.md."""
IDLE_SECONDS = 60
"""How long a kept connection may be idle before the proxy closes it. Traefik's default of 180 s holds three times as
many; a visitor who comes back later pays one handshake."""
_SPARE = 0.9
"""Share of the hard limit that the runtime is told: the kernel's buffers of the sockets count as well."""


def connections(memory_mb: int) -> int:
    """Open connections that a proxy with a hard limit of `memory_mb` MiB holds."""
    return max(0, memory_mb - BASE_MB) * 1024 // CONNECTION_KB


def runtime(memory_mb: int) -> dict[str, str]:
    """Variables of Go's runtime.

    GOGC=400 collects a quarter as often as the default, which saves CPU while the heap is small; GOMEMLIMIT makes it
    collect more often instead of growing beyond the hard limit of the container (Go, "A Guide to the Go Garbage
    Collector").
    """
    return {"GOGC": "400", "GOMEMLIMIT": f"{round(memory_mb * _SPARE)}MiB"}
