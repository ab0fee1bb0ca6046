"""Rules about what the cluster will refuse: fields that are fixed, and volumes that would shrink."""

from collections.abc import Iterator
from typing import Any

from tierstack.core.fixed_fields import FIXED_FIELDS, FixedFields, Path
from tierstack.diff.marks import ABSENT
from tierstack.diff.model import Operation
from tierstack.diff.risk import Risk, Rule, Test, smaller

_UPDATED = frozenset({Operation.UPDATE})


def _types(of: FixedFields) -> tuple[str, ...]:
    return (f"kubernetes:{of.group or 'core'}/*:{of.kind}",)


def _shrinks(of: FixedFields, part: str, path: Path) -> Rule:
    return Rule(
        id="-".join(filter(None, (of.rule, part, "shrinks"))),
        risk=Risk.REFUSED,
        types=_types(of),
        operations=_UPDATED,
        path=" ".join(("spec", *path)),
        test=smaller,
        what="would shrink: volumes grow, and never shrink",
        instead=of.keep_size,
    )


def _fixed(of: FixedFields, path: Path) -> Rule:
    # The engine knows these fields, and would replace the object; a GitOps tool applies the file, and fails.
    return Rule(
        id=f"{of.rule}-fixed",
        risk=Risk.REFUSED,
        types=_types(of),
        operations=_UPDATED | {Operation.REPLACE},
        # The field itself, or whatever is below it.
        path=" ".join(("spec", *path, "**")),
        test=_test(of, path),
        what="changes a field that is fixed once the object exists",
        instead=of.instead,
        condition=lambda look: look.plan.files and look.old("metadata name") == look.new("metadata name"),
    )


def _test(of: FixedFields, path: Path) -> Test:
    def known(value: Any) -> Any:
        return None if value is ABSENT else value

    return lambda old, new: of.is_changed(path, known(old), known(new))


def _rules() -> Iterator[Rule]:
    yield Rule(
        id="any-shrinks",
        risk=Risk.REFUSED,
        types=("*",),
        operations=_UPDATED,
        path=tuple(
            f"** {one}" for one in ("allocatedStorage", "diskSize", "diskSizeGb", "volumeSize", "storageGb", "sizeGb")
        ),
        test=lambda old, new: new is not ABSENT and smaller(old, new),
        what="would shrink ({key}: {old} → {new}): disks grow, and hardly any provider makes them smaller",
        instead="Keep the size, or move the data to a smaller one beside it.",
    )
    for one in FIXED_FIELDS:
        for part, path in one.growing.items():
            yield _shrinks(one, part, path)
        for path in one.fixed:
            yield _fixed(one, path)


RULES = tuple(_rules())
