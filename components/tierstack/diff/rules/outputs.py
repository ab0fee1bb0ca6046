"""Rules about outputs of the stack: other stacks read them by a StackReference."""

from collections.abc import Callable, Mapping, Sequence

from tierstack.diff.beside import SECRECY, renamed
from tierstack.diff.marks import ABSENT, is_secret
from tierstack.diff.model import Property
from tierstack.diff.noise import STACK
from tierstack.diff.risk import Look, Risk, Rule, Test, becomes, every, removed
from tierstack.diff.texts import Text, fill, listed


def _facts(look: Look, because: Sequence[Property]) -> Mapping[str, object]:
    names = list(dict.fromkeys(one.path[1] for one in because))
    new_names = renamed(look.change)
    moved: list[Text] = [
        fill("; {new} has the value of {old}", old=name, new=new_names[name]) for name in names if name in new_names
    ]
    readers = look.plan.readers
    return {
        "outputs": (f"Output{'s' if len(names) > 1 else ''} ", *listed(names)),
        "is": ("are" if len(names) > 1 else "is",),
        "changes": ("change" if len(names) > 1 else "changes",),
        "moved": tuple(part for one in moved for part in one),
        "readers": listed(readers) if readers else ("stacks that read this one",),
        "get": ("gets" if len(readers) == 1 else "get",),
        "fail": ("fails" if len(readers) == 1 else "fail",),
    }


def _is_another_value(found: Property) -> bool:
    """Whether an output that stays has another value, or a part of it; of secrets no plan says that."""
    comes_or_goes = len(found.path) == 2 and ABSENT in (found.old, found.new)
    return not comes_or_goes and not is_secret(found.old) and not is_secret(found.new)


def _rule(
    id_: str,
    risk: Risk,
    path: str,
    what: str,
    instead: str = "",
    test: Test = lambda old, new: True,
    only: Callable[[Property], bool] = every,
) -> Rule:
    return Rule(
        id=id_,
        risk=risk,
        types=(STACK,),
        path=path,
        what=what,
        instead=instead,
        whole=True,
        facts=_facts,
        test=test,
        only=only,
    )


# Pulumi: "Stack references"; `get_output` of an output that is not there gives nothing, `require_output` fails.
RULES = (
    _rule(
        "output-removed",
        Risk.DOWNTIME,
        "outputs *",
        "{outputs} {is} no longer there{moved}: {readers} {get} no value with the next update, or {fail} where one is "
        "required",
        "Keep the old name beside the new one until every stack that reads it has moved on.",
        removed,
    ),
    _rule(
        "output-no-longer-secret",
        Risk.WEAKENS,
        f"{SECRECY} *",
        "{outputs} {is} no secret any more: {readers} {get} it in plaintext, and states and logs show it",
        "Keep it a secret.",
        becomes(False),
    ),
    _rule(
        "output-becomes-secret",
        Risk.INFORMATION,
        f"{SECRECY} *",
        "{outputs} {is} a secret from now on: whatever is made of it in stacks that read it becomes a secret, too",
        test=becomes(True),
    ),
    _rule(
        "output-changes",
        Risk.INFORMATION,
        "outputs **",
        "{outputs} {changes}: {readers} {get} the new value with the next update",
        only=_is_another_value,
    ),
)
