"""From a server's memory, cores and connections to its settings. Pure arithmetic: nothing here knows Pulumi.

Sources: PostgreSQL 17 manual, "Server Configuration" (named below as the manual), and PgBouncer's manual.
"""

import math
import re

from tierstack.core.tier import DatabaseSize, server_connections

RESERVED_CONNECTIONS = 13
"""Connections that the pooler must leave: 3 of superuser_reserved_connections (the server's default), 10 for
migrations, replication, backups and monitoring."""
REPLICATION_SLOTS = 16
"""max_replication_slots and max_wal_senders: standbys, backups and logical moves, with room. A constant, because
changing either restarts the server."""
WORKER_PROCESSES = 16
"""max_worker_processes: a constant for the same reason; what may work in parallel is bound by the cores."""


def working_connections(size: DatabaseSize) -> int:
    """Connections that may run a query at once: every pool full, and the reserved ones."""
    return server_connections(size.poolers, size.pool_size) + RESERVED_CONNECTIONS


def least_memory_mb(size: DatabaseSize) -> int:
    """MiB below which the quarter of memory that is meant for sorts and joins gives a connection less than 1 MiB."""
    return 4 * working_connections(size)


def server_settings(size: DatabaseSize, further: dict[str, str] | None = None) -> dict[str, str]:
    """Settings of postgresql.conf for a server of this size, with the `further` ones laid over them.

    - shared_buffers: 25 % of memory (the manual's "reasonable starting value" for a dedicated server).
    - effective_cache_size: 75 % of memory, what shared buffers and the kernel's cache can hold together.
    - work_mem: a quarter of memory divided by the connections that can run at once; hash tables may take twice that
      (hash_mem_multiplier). At least 1 MiB.
    - maintenance_work_mem: 1/16 of memory, from 32 MiB to 1 GiB; three autovacuum workers may each take it.
    - max_wal_size: a quarter of `wal_storage_gb`, from 512 MiB to 8 GiB (larger means fewer checkpoints and a longer
      recovery). max_slot_wal_keep_size: half of it, so that an abandoned slot cannot fill the volume.
    """
    memory, wal_mb = size.memory_mb, size.wal_storage_gb * 1024
    max_wal = _within(wal_mb // 4, 512, 8192)
    cores = max(1, math.floor(size.cpu))
    settings = {
        "max_connections": str(size.max_connections),
        "shared_buffers": f"{memory // 4}MB",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        "work_mem": f"{max(1024, memory * 256 // working_connections(size))}kB",
        "maintenance_work_mem": f"{_within(memory // 16, 32, 1024)}MB",
        "wal_level": "logical",
        "max_wal_senders": str(REPLICATION_SLOTS),
        "max_replication_slots": str(REPLICATION_SLOTS),
        "max_slot_wal_keep_size": f"{wal_mb // 2}MB",
        "max_wal_size": f"{max_wal}MB",
        "min_wal_size": f"{max_wal // 4}MB",
        "wal_compression": "on",
        # How long a standby rests (5 s by default) before it looks for its primary, or the archive, once more: part of
        # the time that a promotion takes, and that commits wait for a standby of the new primary.
        "wal_retrieve_retry_interval": "1s",
        # A segment is closed after a minute with writes, so that what ships whole segments is at most that far behind.
        "archive_timeout": "60s",
        "max_worker_processes": str(WORKER_PROCESSES),
        "max_parallel_workers": str(min(cores, WORKER_PROCESSES)),
        "max_parallel_workers_per_gather": str(min(cores // 2, 4)),
        # The manual: for storage whose random reads cost little more than sequential ones.
        "random_page_cost": "1.1",
        "idle_in_transaction_session_timeout": "5min",
        "log_lock_waits": "on",
        # Slow statements, without the values that they were called with, which may be personal data.
        "log_min_duration_statement": "1s",
        "log_parameter_max_length": "0",
    }
    return {**settings, **(further or {})}


def pooler_settings(size: DatabaseSize) -> dict[str, str]:
    """Settings of PgBouncer that are the same on both platforms.

    Clients wait for a server that restarts instead of failing: a lost one is tried every second (server_login_retry),
    and a query waits for at most 30 seconds (query_wait_timeout).
    """
    return {
        "max_client_conn": str(size.max_client_connections),
        "default_pool_size": str(size.pool_size),
        "max_db_connections": str(size.pool_size),
        "max_prepared_statements": "200",
        "query_wait_timeout": "30",
        "idle_transaction_timeout": "60",
        "server_login_retry": "1",
        "server_connect_timeout": "5",
        "ignore_startup_parameters": "extra_float_digits",
        "log_connections": "0",
        "log_disconnections": "0",
    }


def pooler_memory_mb(size: DatabaseSize) -> int:
    """MiB of a pooler: 128, and 64 KiB for the buffers and prepared statements of each client."""
    return 128 + size.max_client_connections // 16


def shared_memory_mb(size: DatabaseSize) -> int:
    """MiB of /dev/shm: parallel queries exchange rows there. Counted in the container's memory, like everything."""
    return max(64, size.memory_mb // 4)


_SIZE = re.compile(r"\s*([0-9]+)\s*(kB|MB|GB|TB)\s*")
_UNITS = {"kB": 1 / 1024, "MB": 1, "GB": 1024, "TB": 1024 * 1024}


def megabytes(value: str) -> float | None:
    """A size of postgresql.conf in MiB, or None where it is none (as a bare number, which counts 8 kB pages)."""
    found = _SIZE.fullmatch(value)
    if not found:
        return None
    number, unit = found.groups()
    return int(number) * _UNITS[unit]


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
