"""Findings about records that somebody means: for the whole domain, or for one name of it."""

from collections.abc import Iterable, Mapping

from tierstack.core import ignores
from tierstack.core.diagnostics import Diagnostic, Ignored
from tierstack.dns_records.rules import declared


def problems(ignore: Mapping[str, str], path: str = "ignore") -> list[Diagnostic]:
    """What is wrong with the keys and reasons of `ignore`."""
    return ignores.problems(ignore, declared(), path) if ignore else []


def about_records(ignore: Mapping[str, str]) -> dict[str, str]:
    """The part of the `ignore` of a stack that is about records, without mistakes."""
    return {key: reason for key, reason in ignore.items() if not problems({key: reason})}


def set_aside(
    findings: Iterable[Diagnostic], ignore: Mapping[str, str], domain: str
) -> tuple[list[Diagnostic], list[Ignored]]:
    """(The findings that stay, those that are ignored). A key is a rule, or one with a name:
    `address-private@vpn`."""

    def places(finding: Diagnostic) -> list[str]:
        """The name of a record, absolute, relative to the domain, and with its final dot."""
        name = finding.path.partition(" ")[0]
        return [name, "@" if name == domain else name.removesuffix(f".{domain}"), f"{name}."]

    return ignores.set_aside(findings, ignore, places)
