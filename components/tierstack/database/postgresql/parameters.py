"""Settings of postgresql.conf that a caller may give, and those that the component decides. Pure."""

import re

from tierstack.core.errors import Diagnostic, rule
from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import ParameterRules
from tierstack.database.postgresql import sizing

_DELAYS = "leave it out: transactions would be acknowledged before they are safe"
_WIRED = "leave it out: the component wires it"
_LOGS = "leave it out: logs go to the container's output"

_OWNED = {
    "max_connections": "use the argument `max_connections`",
    "max_wal_senders": _WIRED,
    "max_replication_slots": _WIRED,
    "max_worker_processes": _WIRED,
    "wal_level": "leave it out: it is `logical`, so that a later move needs no restart",
    "fsync": _DELAYS,
    "full_page_writes": _DELAYS,
    "synchronous_commit": "set it for a single transaction: `SET LOCAL synchronous_commit = off`",
    "synchronous_standby_names": "leave it out: it follows from `replicas`",
    "password_encryption": "leave it out: it is `scram-sha-256`",
    "restart_after_crash": _WIRED,
    "shared_preload_libraries": "leave it out: a library that the image lacks keeps the server from starting",
    "archive_mode": "use BackupSchedule",
    "archive_command": "use BackupSchedule",
    "archive_library": "use BackupSchedule",
    "archive_cleanup_command": "use BackupSchedule",
    "restore_command": "use BackupSchedule",
    **dict.fromkeys(
        (
            "allow_system_table_mods",
            "cluster_name",
            "config_file",
            "data_directory",
            "data_sync_retry",
            "external_pid_file",
            "hba_file",
            "hot_standby",
            "ident_file",
            "listen_addresses",
            "port",
            "primary_conninfo",
            "primary_slot_name",
            "recovery_end_command",
            "recovery_min_apply_delay",
            "recovery_target",
            "recovery_target_action",
            "recovery_target_inclusive",
            "recovery_target_lsn",
            "recovery_target_name",
            "recovery_target_time",
            "recovery_target_timeline",
            "recovery_target_xid",
            "ssl",
            "ssl_ca_file",
            "ssl_cert_file",
            "ssl_crl_file",
            "ssl_key_file",
            "unix_socket_directories",
            "unix_socket_group",
            "unix_socket_permissions",
        ),
        _WIRED,
    ),
    **dict.fromkeys(
        (
            "log_destination",
            "log_directory",
            "log_file_mode",
            "log_filename",
            "log_rotation_age",
            "log_rotation_size",
            "log_truncate_on_rotation",
            "logging_collector",
        ),
        _LOGS,
    ),
}

RULES = ParameterRules(
    pattern=re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?"),
    examples=("work_mem", "auto_explain.log"),
    # CloudNativePG refuses most of them too.
    owned=_OWNED,
    may_be_empty=frozenset({"search_path", "log_line_prefix", "default_tablespace", "temp_tablespaces"}),
)


@rule(
    "database-shared-buffers",
    "`shared_buffers` must be a size of at most 40 % of the memory.",
    "PostgreSQL: shared_buffers",
    wrong="database: {memory_mb: 1024, parameters: {shared_buffers: 768MB}}",
    right="database: {memory_mb: 2048, parameters: {shared_buffers: 768MB}}",
)
def problems(path: str, name: str, value: str, size: DatabaseSize) -> list[Diagnostic]:
    """What is wrong with the value of a setting that may be given."""
    if name != "shared_buffers":
        return []
    given = sizing.megabytes(value)
    if given is None:
        return [Diagnostic(path, value, "is not a size", "write a whole number with a unit, such as `512MB` or `2GB`")]
    most = size.memory_mb * 2 // 5
    if given <= most:
        return []
    wrong = f"is more than 40 % of memory_mb = {size.memory_mb}, above which it takes from the rest (PostgreSQL manual)"
    return [Diagnostic(path, value, wrong, f"write at most `{most}MB`, or raise `memory_mb`")]
