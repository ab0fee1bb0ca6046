"""The rules, by what they are about. The order within a class is that of a report."""

from tierstack.diff.risk import Rule
from tierstack.diff.rules import cost, data, dns, exposure, naming, outputs, protection, refused, running

RULES: tuple[Rule, ...] = (
    *data.RULES,
    *refused.RULES,
    *dns.RULES,
    *running.RULES,
    *naming.RULES,
    *outputs.RULES,
    *exposure.RULES,
    *protection.RULES,
    *cost.RULES,
)
"""All rules. Those whose ids begin with `any-` know a type by a word in its name only: they come last in a file, and
say nothing where another rule has said something of the same class about the same resource."""
