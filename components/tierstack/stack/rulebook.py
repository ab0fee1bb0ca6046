"""Every rule of the package, with what it guards: for `tierstack rule`, for `ignore`, and for a page.

Run `python -m tierstack.stack.rulebook` to write docs/rules.md.
"""

import importlib
from collections.abc import Mapping

from tierstack.core.diagnostics import Rule, declared

_MODULES = (
    "tierstack.platform.rules",
    "tierstack.tls.rules",
    "tierstack.tls.given",
    "tierstack.migration.guard",
    "tierstack.dns_records.zone.compose",
    "tierstack.dns_records.zone.observe",
    "tierstack.stack.check",
    "tierstack.stack.clashes",
    "tierstack.stack.protocol",
)
"""What declares rules, or imports all that do. Nothing here needs Pulumi itself."""
_GROUPS: tuple[tuple[str, str], ...] = (
    ("stack", "Stacks"),
    ("core", "All arguments and settings"),
    ("platform", "Platforms, names and images"),
    ("app_cluster", "AppCluster"),
    ("backup_schedule", "BackupSchedule"),
    ("cluster_addons", "ClusterAddons"),
    ("database", "DatabaseWithReplicas"),
    ("gateway", "Gateway"),
    ("mta_sts_host", "MtaStsHost"),
    ("object_storage", "ObjectStorage"),
    ("redis_cluster", "RedisCluster"),
    ("tls", "TLS"),
    ("migration", "Migrations (`tierstack migration check`)"),
    ("dns_records.mail.providers", "Mail providers"),
    ("dns_records.publish", "Publishing of DNS records"),
    ("dns_records", "Zones, names and addresses"),
)
"""Packages and modules with their titles, in the order of the page. A rule belongs to the longest that it is in."""
_RECORDS = {
    "spf": "SPF",
    "dkim": "DKIM",
    "dmarc": "DMARC",
    "mx": "MX",
    "null": "MX",
    "sts": "MTA-STS",
    "tlsrpt": "TLS-RPT",
    "bimi": "BIMI",
    "caa": "CAA",
}
"""Kinds of records by how the codes of their rules begin: several modules look at each kind."""
_INTRODUCTION = """# Rules

Every check names the rule that it applies, in brackets at the end of the line:

```
$ tierstack check -s prod
configuration of stack prod: 1 problem
  database.pool_size = 120: 1 × 120 = 120 server connections are more than the 87 that max_connections = 100 leaves …;
  write at most 87, or `max_connections` of at least 133 [database-connections, PostgreSQL: max_connections; …]
```

`tierstack rule database-connections` prints what the rule guards, why, where it stands, and an example.
`tierstack rule` lists all rules; `--json` does so for machines. `tierstack check --json` has the code of each
diagnostic as `code`.

An **error** stops `up` and `preview`. A **warning** or **advice** is shown. A rule that is marked *ignorable* can be
accepted in the configuration, with a reason:

```yaml
shop:ignore:
  single-web-container@apps.admin: staff wait for a minute
  address-private@vpn: only staff reach it, through the tunnel
```
"""


def rules() -> Mapping[str, Rule]:
    """Every rule by its code."""
    for name in _MODULES:
        importlib.import_module(name)
    return declared()


def groups() -> Mapping[str, list[Rule]]:
    """The rules by the title of what applies them, each list in the order of the codes."""
    titles = [title for _, title in _GROUPS]
    found: dict[str, list[Rule]] = {title: [] for title in (*titles[:-3], *_RECORDS.values(), *titles[-3:])}
    for _, rule in sorted(rules().items()):
        found[group_of(rule)].append(rule)
    return {title: listed for title, listed in found.items() if listed}


def group_of(rule: Rule) -> str:
    """The title of what applies a rule."""
    name = rule.module.removeprefix("tierstack.")
    if name.startswith("dns_records.") and (title := _RECORDS.get(rule.code.partition("-")[0])):
        return title
    prefixes = [(prefix, title) for prefix, title in _GROUPS if f"{name}.".startswith(f"{prefix}.")]
    return max(prefixes, key=lambda pair: len(pair[0]))[1]


def markdown() -> str:
    """The page of all rules."""
    parts = [_INTRODUCTION]
    for title, listed in groups().items():
        rows = [f"| `{one.code}` | {_severities(one)} | {one.guards} | {one.source or '–'} |" for one in listed]
        parts.append(
            "\n".join([f"\n## {title}\n", "| code | severity | what must hold | source |", "|---|---|---|---|", *rows])
        )
    return "\n".join(parts) + "\n"


def _severities(rule: Rule) -> str:
    said = ", ".join(rule.severities)
    return f"{said}, *ignorable*" if rule.ignorable else said


if __name__ == "__main__":
    print(markdown(), end="")
