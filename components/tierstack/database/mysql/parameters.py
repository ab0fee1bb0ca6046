"""Settings of my.cnf that a caller may give, and those that the component decides. Pure."""

import re

from tierstack.core.errors import Diagnostic, rule
from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import ParameterRules
from tierstack.database.mysql import sizing

_DELAYS = "leave it out: transactions would be acknowledged before they are safe"
_WIRED = "leave it out: the component wires it"
_LOGS = "leave it out: logs go to the container's output"
_TLS = "use the argument `tls`"
_GTID = "leave it out: backups and replicas tell transactions apart by it"

_OWNED = {
    "max_connections": "use the argument `max_connections`",
    "sync_binlog": _DELAYS,
    "innodb_flush_log_at_trx_commit": _DELAYS,
    "innodb_doublewrite": _DELAYS,
    "innodb_buffer_pool_instances": "leave it out: it follows from `memory_mb` and `cpu`",
    "innodb_buffer_pool_chunk_size": "leave it out: the size of the buffer pool is computed in its steps",
    "character_set_server": "leave it out: it is `utf8mb4`; `collation_server` may be given",
    "local_infile": "leave it out: a client could be made to hand over its files",
    "secure_file_priv": "leave it out: the server reads and writes no files for clients",
    "skip_name_resolve": "leave it out: users are told apart by name and password, not by host",
    "require_secure_transport": _TLS,
    **dict.fromkeys(("gtid_mode", "enforce_gtid_consistency", "binlog_format", "log_bin", "server_id"), _GTID),
    **dict.fromkeys(("log_bin_index", "log_bin_basename", "max_binlog_size"), _WIRED),
    **dict.fromkeys(("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_crl", "tls_version"), _TLS),
    **dict.fromkeys(("log_error", "log_output", "slow_query_log_file", "log_timestamps", "general_log_file"), _LOGS),
    **dict.fromkeys(
        (
            *("bind_address", "port", "socket", "pid_file", "datadir", "basedir", "tmpdir", "user", "init_file"),
            *("mysqlx", "admin_address", "admin_port", "plugin_load", "plugin_load_add", "early_plugin_load"),
            *("read_only", "super_read_only", "default_time_zone", "innodb_data_home_dir"),
            "innodb_log_group_home_dir",
        ),
        _WIRED,
    ),
}

RULES = ParameterRules(
    # my.cnf also takes other spellings of a name, by which an owned setting could be given.
    pattern=re.compile(
        r"(?!(?:loose|skip|disable|enable|maximum)_(?!name_resolve$))[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?"
    ),
    examples=("innodb_io_capacity", "long_query_time"),
    owned=_OWNED,
    may_be_empty=frozenset({"sql_mode", "init_connect"}),
)


@rule(
    "database-buffer-pool",
    "`innodb_buffer_pool_size` must be a size of at most 75 % of the memory.",
    "MySQL: Configuring InnoDB Buffer Pool Size",
    wrong="database: {engine: mysql, memory_mb: 1024, parameters: {innodb_buffer_pool_size: 896M}}",
    right="database: {engine: mysql, memory_mb: 2048, parameters: {innodb_buffer_pool_size: 896M}}",
)
def problems(path: str, name: str, value: str, size: DatabaseSize) -> list[Diagnostic]:
    """What is wrong with the value of a setting that may be given."""
    if '"' in value:
        return [Diagnostic(path, value, "has a quote in it", "write the value without quotes", "database-parameter")]
    if name != "innodb_buffer_pool_size":
        return []
    given = sizing.megabytes(value)
    if given is None:
        return [Diagnostic(path, value, "is not a size", "write a whole number with a unit, such as `512M` or `2G`")]
    most = size.memory_mb * 3 // 4
    if given <= most:
        return []
    wrong = f"is more than 75 % of memory_mb = {size.memory_mb}, above which the server and its connections do not fit"
    return [Diagnostic(path, value, wrong, f"write at most `{most}M`, or raise `memory_mb`")]
