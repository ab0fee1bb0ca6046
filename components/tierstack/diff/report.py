"""A report on a plan, before it is written: what its first screen says, and what the details are."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tierstack.diff.cost import Amount, Cost, Prices, cost
from tierstack.diff.marks import UNKNOWN
from tierstack.diff.model import Change, Operation, Plan, shown_path
from tierstack.diff.noise import STACK
from tierstack.diff.quantities import gib, number
from tierstack.diff.risk import WORST, Finding, Risk, findings
from tierstack.diff.rules import RULES
from tierstack.diff.sentences import Sentence, sentences
from tierstack.diff.texts import Text, counted, fill, listed

VERBS = {
    Operation.CREATE: "create",
    Operation.IMPORT: "take over",
    Operation.UPDATE: "update",
    Operation.REPLACE: "replace",
    Operation.DELETE: "delete",
}
_NO_OUTPUTS = "outputs of the stack, which this form of a preview does not have"
_FIRST_SCREEN = tuple(one for one in WORST if one is not Risk.INFORMATION)


@dataclass(frozen=True)
class Report:
    """All that the forms of a report show."""

    plan: Plan
    title: str
    """What the plan is of, as readers call it: the stack, else what the user says."""
    findings: tuple[Finding, ...]
    cost: Cost
    money: str
    """The price of a month more or less, where the user gave prices."""
    sentences: tuple[Sentence, ...]

    @property
    def counts(self) -> dict[Operation, int]:
        """How many resources are created, replaced, …; each once."""
        return _counts(self.plan.changes)

    @property
    def worst(self) -> Risk | None:
        """The worst class of its risks. None: there is none but information."""
        return next((one for one in _FIRST_SCREEN if self.of(one) or (one is Risk.COST and self.grows)), None)

    @property
    def grows(self) -> bool:
        """Whether it reserves more than before."""
        more = self.cost.after - self.cost.before
        return max(more.cpu, more.memory, more.disk) > 1e-6 and bool(more)

    def of(self, risk: Risk) -> list[Finding]:
        """The risks of a class."""
        return [one for one in self.findings if one.risk is risk]

    def classes(self) -> list[Risk]:
        """The classes that it has risks of, the worst first; cost also by its sums alone."""
        return [one for one in WORST if self.of(one) or (one is Risk.COST and self.grows)]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes, and the preview succeeded."""
        return not (self.plan.changes or self.plan.errors or self.findings)

    @property
    def changed_outputs(self) -> int:
        """How many outputs of the stack come, go, or change."""
        of_stack = [one for one in self.plan.beside if one.type == STACK]
        return len({found.path[1] for one in of_stack for found in one.properties})


def report(plan: Plan, *, title: str = "", prices: Prices | None = None) -> Report:
    """The report on a plan."""
    found = cost(plan)
    return Report(
        plan=plan,
        title=title or plan.stack or plan.project or "stack",
        findings=tuple(findings(plan, RULES)),
        cost=found,
        money=_money(found, prices) if prices else "",
        sentences=tuple(sentences(plan)),
    )


def verdict(report: Report) -> Text:
    """The first line: what a reader must know if they read nothing else."""
    if report.plan.errors:
        return fill("{title}: the preview failed", title=report.title)
    if report.is_empty:
        return fill(f"{{title}}: no {'' if report.plan.has_outputs else 'resource '}changes", title=report.title)
    found = [one for one in _FIRST_SCREEN if one is not Risk.COST and report.of(one)]
    words = [_VERDICTS[one] for one in found[:3]]
    if not words:
        nothing = "nothing that can be read here" if unjudged(report.plan) else "nothing"
        calm = f"{nothing} is lost, stops, opens or protects less"
        words = ["costs more" if report.worst is Risk.COST else calm]
    return fill("{title}: {words}", title=report.title, words=(", ".join(words),))


_VERDICTS = {
    Risk.DATA_LOSS: "data is lost",
    Risk.IRREVERSIBLE: "cannot be undone",
    Risk.REFUSED: "will be refused",
    Risk.DOWNTIME: "something stops, restarts or moves",
    Risk.PUBLIC: "something becomes public",
    Risk.WEAKENS: "protects less",
}


def _counts(changes: Iterable[Change]) -> dict[Operation, int]:
    found = Counter(one.operation for one in changes)
    return {operation: found[operation] for operation in VERBS if found[operation]}


def counts(changes: Iterable[Change]) -> str:
    """What becomes of some resources: `1 to create, 2 to update`."""
    return ", ".join(f"{count:,} to {VERBS[operation]}" for operation, count in _counts(changes).items())


def summary(report: Report) -> str:
    """The counts, in one line."""
    parts = [found] if (found := counts(report.plan.changes)) else []
    if count := report.changed_outputs:
        parts.append(f"{counted(count, 'output')} of the stack to change")
    if report.plan.unchanged_count:
        parts.append(f"{report.plan.unchanged_count:,} unchanged")
    return ", ".join(parts) or "nothing changes"


def kept_data(report: Report) -> Text:
    """What holds data and stays: the proof that a change of the tier loses none. Empty: nothing to say."""
    touched = [one for one in report.plan.changes if one.operation is Operation.UPDATE and _is_store(one)]
    refused = any(one.rule.endswith("-protected") for one in report.of(Risk.REFUSED))  # only its protection saves it
    if report.of(Risk.DATA_LOSS) or refused or report.plan.errors or _lost(report) or not touched:
        return ()
    staying = [one for one in report.plan.unchanged if _is_store(one)]
    names = listed([f"{one.kind} {one.name}" for one in (*touched, *staying)], most=6)
    return ("Data stays: nothing that holds data is deleted or replaced (", *names, ").")


def _lost(report: Report) -> list[Change]:
    return [
        one for one in report.plan.changes if _is_store(one) and one.operation in (Operation.DELETE, Operation.REPLACE)
    ]


def tier_lines(report: Report) -> list[Text]:
    """A change of the tier, explained: what grows, what restarts, and that no data goes. Empty where it stays."""
    if not report.plan.tier or report.plan.errors:
        return []
    more = report.cost.after - report.cost.before
    grows = _more(more) if more else ""
    pausing, others = (
        [one for finding in report.of(risk) for one in finding.changes if one not in report.plan.beside]
        for risk in (Risk.DOWNTIME, Risk.INFORMATION)
    )
    waiting = [one for one in others if one not in pausing]
    names = [listed([f"{one.kind} {one.name}" for one in those], most=5) for those in (pausing, waiting)]
    lines: list[Text] = [(f"Reserved: {grows}, by component below.",)] if grows else [("It reserves what it did.",)]
    lines.append(
        ("Pauses or restarts: ", *names[0], ", as said above.") if pausing else ("Nothing pauses or restarts.",)
    )
    if waiting:
        lines.append(("Also changes, without a pause for visitors: ", *names[1], "."))
    if kept := kept_data(report):
        lines.append(kept)
    elif lost := _lost(report):
        names = listed([f"{one.kind} {one.name}" for one in lost], most=5)
        lines.append(("What holds data is deleted or replaced: ", *names, "."))
    elif report.of(Risk.DATA_LOSS):
        lines.append(("It is not without loss of data: see above.",))
    else:
        lines.append(("Nothing that holds data changes.",))
    return lines


_STORES = ("Cluster", "PersistentVolumeClaim", "StatefulSet", "Volume")


def _is_store(change: Change) -> bool:
    return change.kind in _STORES and change.type.startswith(("kubernetes:", "docker:"))


def cost_lines(report: Report) -> list[Text]:
    """What is reserved more or less: the sum, and where."""
    found = report.cost
    if not found.after - found.before and not found.components:
        return []
    of = "The stack reserves" if found.whole else "What changes reserves"
    lines: list[Text] = [(f"{of} {_from_to(found.before, found.after)}.{report.money}",)]
    for component, before, after in found.components[:8]:
        lines.append(fill("{name}: {change}", name=component or "others", change=(_more(after - before),)))
    if len(found.components) > 8:
        lines.append((f"and {counted(len(found.components) - 8, 'component')} more",))
    return lines if len(found.components) > 1 else lines[:1]


def _from_to(before: Amount, after: Amount) -> str:
    parts: list[str] = []
    if abs(after.cpu - before.cpu) > 1e-6:
        parts.append(f"{number(after.cpu)} CPU (before: {number(before.cpu)})")
    if abs(after.memory - before.memory) > 1:
        parts.append(f"{gib(after.memory)} of memory ({gib(before.memory)})")
    if abs(after.disk - before.disk) > 1:
        parts.append(f"{gib(after.disk)} of disk ({gib(before.disk)})")
    return ", ".join(parts)


def _more(change: Amount) -> str:
    parts = [
        (change.cpu, f"{number(abs(change.cpu))} CPU"),
        (change.memory, f"{gib(abs(change.memory))} of memory"),
        (change.disk, f"{gib(abs(change.disk))} of disk"),
    ]
    return ", ".join(f"{'+' if amount > 0 else '−'}{text}" for amount, text in parts if abs(amount) > 1e-6)


def _money(found: Cost, prices: Prices) -> str:
    before, after = (prices.of_a_month(one) for one in (found.before, found.after))
    return f" A month costs {after:,.2f} {prices.currency} (before: {before:,.2f})."


def unjudged(plan: Plan) -> list[Text]:
    """What no rule could judge, a sentence for each reason."""
    return [one for one in (_unknown(plan), _hidden(plan)) if one]


def _unknown(plan: Plan) -> Text:
    """Which values the plan does not know yet, in one sentence; empty where it knows all."""
    found = [(one, p) for one in (*plan.changes, *plan.beside) for p in one.properties if p.new is UNKNOWN]
    if not found:
        return ()
    values = counted(len(found), "value is", "values are")
    names = [f"{shown_path(p.path)} of {one.name}" for one, p in found]
    return (f"{values} known only during the update (", *listed(names), "): what follows from them is not said here.")


def _hidden(plan: Plan) -> Text:
    """Which changes are inside of what is secret as a whole, in one sentence; empty where none is."""
    found = [(one, p) for one in (*plan.changes, *plan.beside) for p in one.properties if p.hidden]
    if not found:
        return ()
    changes = counted(len(found), "change is", "changes are")
    names = [f"{shown_path(p.path)} of {one.name}" for one, p in found]
    return (
        f"{changes} inside a list or map that is secret as a whole, because a value in it is (",
        *listed(names),
        "): what follows from them is not said here. Give the secret by a reference, and the rest can be read.",
    )


def left_out(plan: Plan) -> str:
    """What is no change to a reader, in one line; empty where nothing was left out."""
    parts = [f"{count:,} {what}" for what, count in sorted(plan.left_out.items())]
    return ", ".join([*parts, *([] if plan.has_outputs or plan.errors else [_NO_OUTPUTS])])


def order(changes: Sequence[Change]) -> list[Change]:
    """Changes in the order of the details: what goes first, then what is replaced, changed and made."""
    ranks = (Operation.DELETE, Operation.REPLACE, Operation.UPDATE, Operation.IMPORT, Operation.CREATE)
    return sorted(changes, key=lambda one: (ranks.index(one.operation), one.name))


def met(report: Report, classes: Mapping[Risk, bool] | Sequence[Risk]) -> list[Risk]:
    """Those of `classes` that the plan has risks of."""
    return [one for one in report.classes() if one in classes]
