"""The base of every tierstack component."""

import copy
import functools
import inspect
import weakref
from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi

from tierstack.core.before import Before
from tierstack.core.calls import prepare
from tierstack.core.checked import checked
from tierstack.core.errors import HIDDEN, MISSING, ArgumentError, Diagnostic, a_or_an, rule
from tierstack.platform import program
from tierstack.platform.asked import PhysicalName
from tierstack.platform.shared import current_run, held, is_hosted, raise_verdict

PACKAGE = "tierstack"
T = TypeVar("T")


def token(cls_name: str) -> str:
    """The type token of a component: `tierstack:index:AppCluster`. Changing one is a breaking change."""
    return f"{PACKAGE}:index:{cls_name}"


class Component(pulumi.ComponentResource):
    """A component whose arguments are checked before it, or anything inside it, is registered.

    A subclass calls `self.begin` first, builds its children with `parent=self`, assigns its outputs and calls
    `self.finish`. The class's own annotations are its outputs, as the component host reads them.
    """

    names = program.NameRule()
    """Which names a component of this class may have."""

    @staticmethod
    def changes(args: Any, name: str, before: Before) -> list[Diagnostic]:
        """What is wrong with the change from what a component of this name made. A class without rules: nothing."""
        return []

    def __init_subclass__(cls, **more: Any) -> None:
        """Let a wrong call of the constructor, and wrong keywords of its args classes, end as any other mistake."""
        super().__init_subclass__(**more)
        args_type = inspect.get_annotations(cls.__init__).get("args") if "__init__" in cls.__dict__ else None
        if isinstance(args_type, type):  # else a subclass of somebody's, with parameters of its own
            cls.__init__ = _with_clear_calls(cls, cls.__init__, args_type.__name__)
            prepare(args_type)

    def begin(self, name: str, args: object, args_type: type[T], opts: pulumi.ResourceOptions | None) -> T:
        """Check `args` (an args object or a plain dict) and register the component.

        Raises ArgumentError with every problem; nothing is registered then.
        """
        cls_name = type(self).__name__
        if problems := _call_problems(name, opts):
            # What stands in the place of the name, such as the arguments, may hold secrets.
            raise ArgumentError(_subject(cls_name, name), problems)
        subject = _subject(cls_name, name)
        loaded = checked(args_type, args, subject, lambda args: program.problems(name, args, opts, self.names))
        program.claim(loaded, subject)
        loaded = program.with_judged_images(loaded, subject)
        self._caller_options = opts
        """What `platform.shared` reads for what all components of a platform share."""
        self.physical_name = program.physical_name(name, loaded)
        """What names in the cluster or on the host begin with: the component's name, or the one it was made with."""
        program.read_state(loaded)
        program.judge_changes(loaded, subject, lambda before: self.changes(loaded, name, before))
        if opts is None or opts.parent is None:
            # The engine tells its resources apart by class and name.
            for one in {name, self.physical_name}:
                current_run().asked.add(PhysicalName("program", f"resource {cls_name}", one), self, subject)
        super().__init__(token(cls_name), name, {}, held(opts))
        return loaded

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child of this component, with the further ones given."""
        return pulumi.ResourceOptions(parent=self, **options)

    def finish(self, outputs: Mapping[str, Any]) -> None:
        """Assign the outputs to the attributes of the same names, and register them: the last call of a constructor."""
        for name, value in outputs.items():
            setattr(self, name, pulumi.Output.from_input(value))
        self.register_outputs(dict(outputs))
        if is_hosted():
            raise_verdict(current_run())  # the program is in another process, and each component on its own


def merged(base: pulumi.ResourceOptions, extra: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """`base` with `extra` laid over it; neither is changed."""
    return pulumi.ResourceOptions.merge(copy.copy(base), extra)


def _subject(cls_name: str, name: object) -> str:
    return f'{cls_name} "{name}"' if isinstance(name, str) else a_or_an(cls_name)


@rule("wrong-call")
def _call_problems(name: object, opts: object) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if not isinstance(name, str) or not name:
        shown = HIDDEN if isinstance(name, dict | list) else name
        found.append(Diagnostic("name", shown, "is not a name", "write a text that is not empty"))
    if opts is not None and not isinstance(opts, pulumi.ResourceOptions):
        found.append(Diagnostic("opts", opts, "is not a ResourceOptions", "pass pulumi.ResourceOptions(…)"))
    return found


def _with_clear_calls(cls: type[Component], init: Any, args_type: str) -> Any:
    """`init`, where a call that does not fit its parameters raises ArgumentError."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapped(self: Component, *given: Any, **named: Any) -> None:
        unknown = [key for key in named if key not in signature.parameters]
        try:
            signature.bind(self, *given, **named)
        except TypeError as error:
            instead = f'write {cls.__name__}("name", {args_type}(…), opts=…)'
            wrong = f"is an argument of {args_type}, or of nothing"
            problems = [Diagnostic(key, MISSING, wrong, instead, "wrong-call") for key in unknown]
            if not problems:
                wrong = f"is called with {error}"
                problems = [Diagnostic(cls.__name__, MISSING, wrong, instead, "wrong-call")]
            raise ArgumentError(a_or_an(cls.__name__), problems) from None
        try:
            init(self, *given, **named)
        except pulumi.RunError as error:
            current_run().asked.wrong = weakref.ref(error)
            raise

    return wrapped
