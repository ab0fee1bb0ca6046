"""From a server's memory, cores and connections to its settings. Pure arithmetic: nothing here knows Pulumi.

Sources: MySQL 8.4 and 9.7 manuals, "Configuring InnoDB Buffer Pool Size", "How MySQL Uses Memory", "Redo Log" and
"Binary Logging Options and Variables" (named below as the manual), and HAProxy's configuration manual.
"""

import dataclasses
import math
import re

from tierstack.core.tier import DatabaseSize, server_connections

RESERVED_CONNECTIONS = 10
"""Connections that the pools must leave, for migrations, backups and people. The server keeps one more for who has
CONNECTION_ADMIN, which is the superuser."""
SERVER_MB = 384
"""MiB of the server beside buffer pool and connections: performance schema, dictionary, log buffer. Measured: 9.7 takes
513 MiB at rest with the smallest buffer pool."""
CHUNK_MB = 128
"""innodb_buffer_pool_chunk_size, the server's default: the pool is a multiple of it, rounded up by the server."""
POOL_OVERHEAD = 10
"""The server takes about 10 % more than the pool (manual)."""
STACK_KB = 1024
"""thread_stack, the server's default: each connection has a thread."""
LEAST_CONNECTION_KB = 2048
"""Stack, and 256 KiB (the server's default for sorts and joins) for each of four buffers."""
IDLE_SECONDS = 3600
"""wait_timeout: an idle client holds a connection of the pool, so it is closed long before the server's 8 hours."""
QUEUE_SECONDS = 30
"""How long a client waits for a connection of the pool, or for a server that restarts."""


def working_connections(size: DatabaseSize) -> int:
    """Connections that may run a query at once: every pool full, and the reserved ones."""
    return server_connections(size.poolers * pools(size), size.pool_size) + RESERVED_CONNECTIONS


def pools(size: DatabaseSize) -> int:
    """Pools whose clients one server may have: with standbys 2, because the clients of the read endpoint come to the
    primary where no standby is left."""
    return 2 if size.replicas else 1


def pool_size(size: DatabaseSize) -> int:
    """All connections but the reserved ones: each connected client holds one, and more of them only wait."""
    return max(1, (size.max_connections - RESERVED_CONNECTIONS) // (size.poolers * pools(size)))


def with_connections(size: DatabaseSize) -> DatabaseSize:
    """The size with as many connections as give each pool what a server without standbys gives to its only pool:
    standbys take no connection away from an application. Fewer where the memory has no place for them
    (`least_memory_mb`), and never fewer than the tier's."""
    wanted = (size.max_connections - RESERVED_CONNECTIONS) * pools(size) + RESERVED_CONNECTIONS
    fitting = size.memory_mb * 1024 // (4 * LEAST_CONNECTION_KB)
    return dataclasses.replace(size, max_connections=max(size.max_connections, min(wanted, fitting)))


def least_memory_mb(size: DatabaseSize) -> int:
    """MiB with which three quarters hold the server and the smallest buffer pool, and one quarter 2 MiB for each
    connection."""
    server = (SERVER_MB + _with_overhead(CHUNK_MB)) * 4 / 3
    return max(math.ceil(server), 4 * working_connections(size) * LEAST_CONNECTION_KB // 1024)


def buffer_pool_mb(size: DatabaseSize) -> tuple[int, int]:
    """(MiB of the buffer pool, its instances): three quarters of memory without what the server itself takes, with its
    overhead, in whole chunks. An instance for each GiB and core, at most 8, each of whole chunks."""
    available = (size.memory_mb * 3 // 4 - SERVER_MB) * 100 // (100 + POOL_OVERHEAD)
    instances = max(1, min(available // 1024, math.floor(size.cpu), 8))
    step = CHUNK_MB * instances
    return max(step, available // step * step), instances


def connection_buffer_kb(size: DatabaseSize) -> int:
    """KiB of a sort or join buffer: a quarter of memory, divided by the connections that can run at once, holds the
    stack and four such buffers of each. From the server's default of 256 to 2048, above which the manual warns that
    allocating takes longer than it saves."""
    share = size.memory_mb * 1024 // 4 // working_connections(size)
    return _within((share - STACK_KB) // 4, 256, 2048)


def binary_log_mb(size: DatabaseSize) -> int:
    """MiB of binary logs that are kept: half of `wal_storage_gb`."""
    return size.wal_storage_gb * 1024 // 2


def server_settings(size: DatabaseSize, further: dict[str, str] | None = None) -> dict[str, str]:
    """Settings of my.cnf for a server of this size, with the `further` ones laid over them.

    - innodb_buffer_pool_size, innodb_buffer_pool_instances: see `buffer_pool_mb`.
    - innodb_redo_log_capacity: a quarter of `wal_storage_gb`, from 128 MiB to 8 GiB (larger means fewer checkpoints
      and a longer recovery).
    - max_binlog_size: 1/32 of `wal_storage_gb`, from 16 MiB to 512 MiB; what is kept, see `binary_log_mb`.
    - sort_buffer_size, join_buffer_size: see `connection_buffer_kb`.
    - max_allowed_packet: 1/64 of memory, from 16 MiB to the server's 64 MiB. A statement takes about ten times its size
      (measured with 9.7: 250 MiB for 24 MiB), and a larger one would end the server, with all clients, by its limit.
    - temptable_max_ram: 1/16 of memory, from 64 MiB to the server's 1 GiB. Larger temporary tables go to disk.
    """
    pool, instances = buffer_pool_mb(size)
    log_mb, buffer = size.wal_storage_gb * 1024, f"{connection_buffer_kb(size)}K"
    settings = {
        "max_connections": str(size.max_connections),
        "innodb_buffer_pool_size": f"{pool}M",
        "innodb_buffer_pool_instances": str(instances),
        "innodb_redo_log_capacity": f"{_within(log_mb // 4, 128, 8192)}M",
        "max_binlog_size": f"{_within(log_mb // 32, 16, 512)}M",
        "sort_buffer_size": buffer,
        "join_buffer_size": buffer,
        "max_allowed_packet": f"{_within(size.memory_mb // 64, 16, 64)}M",
        "temptable_max_ram": f"{_within(size.memory_mb // 16, 64, 1024)}M",
        # What is acknowledged is on disk, in both logs (manual, "InnoDB and the ACID Model").
        "innodb_flush_log_at_trx_commit": "1",
        "sync_binlog": "1",
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        # Users without SUPER may make triggers and functions: rows are logged (the server's default), so they are safe.
        "log_bin_trust_function_creators": "ON",
        "wait_timeout": str(IDLE_SECONDS),
        "interactive_timeout": str(IDLE_SECONDS),
        "slow_query_log": "ON",
        "long_query_time": "1",
    }
    return {**settings, **(further or {})}


def pooler_memory_mb(size: DatabaseSize) -> int:
    """MiB of the proxy: 128, and 64 KiB for each client, whose two buffers take 32."""
    return 128 + size.max_client_connections // 16


_SIZE = re.compile(r"([0-9]+)([KMGT]?)", re.IGNORECASE)
_UNITS = {"": 1 / 1024 / 1024, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


def megabytes(value: str) -> float | None:
    """A size of my.cnf in MiB, or None where it is none."""
    found = _SIZE.fullmatch(value.strip())
    return int(found[1]) * _UNITS[found[2].upper()] if found else None


def _with_overhead(pool_mb: int) -> float:
    return pool_mb * (100 + POOL_OVERHEAD) / 100


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
