"""Names on the host or in the cluster that two components of a stack would both have.

The names are those that the builders ask for: the components are made without an engine, and nothing of them is
registered. That takes as long as a preview's start, so it is done only where names of components allow it.
"""

from collections.abc import Sequence
from typing import Any

from tierstack.core.errors import MISSING, ArgumentError, Diagnostic, declare
from tierstack.platform.asked import Asked
from tierstack.stack.instances import Instance
from tierstack.stack.plan import Plan

declare(
    "name-clash",
    "Two components cannot have the same name on a host or in a cluster.",
    why="Names are made of the component's name and a suffix. With the same name, each component would change or "
    "delete the object of the other.",
    wrong="databases: {orders: {…}, orders-pooler: {…}}",
    right="databases: {orders: {…}, pooled: {…}}",
)
_SHOWN = 3  # names that a message shows; one is enough to see what is meant


def problems(plan: Plan) -> list[Diagnostic]:
    """What two components of a stack would both have. Needs a configuration without other problems."""
    if not may_clash([one.name for one, _ in plan.made()]):
        return []
    from concurrent.futures import ThreadPoolExecutor  # which most checks do not need

    try:
        # Pulumi keeps its settings for each thread, and each has an event loop of its own.
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(_asked, plan).result()
    except ArgumentError as error:
        return error.problems
    return told(asked, plan.components.instances)


def may_clash(names: Sequence[str]) -> bool:
    """Whether names that begin with those of their components can be the same: one is another one with a suffix."""
    return any(other.startswith(f"{name}-") for name in names for other in names)


def told(asked: Asked, instances: Sequence[Instance]) -> list[Diagnostic]:
    """The clashes among names that were asked for, each at the component whose name was chosen."""
    by_subject = {one.subject: one for one in instances}
    found: list[Diagnostic] = []
    for pair, names in asked.clashes.items():
        both = [by_subject[subject] for subject in pair if subject in by_subject]
        if len(both) < len(pair):
            continue  # with what the platform itself has
        first, second = sorted(both, key=lambda one: one.named)
        shown = ", ".join(map(str, names[:_SHOWN]))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        wrong = f"needs names that `{first.path}` has: {shown}{more}"
        hint = "write another name for one of the two, or for the role that is named so"
        found.append(Diagnostic(second.path, MISSING, wrong, hint, "name-clash"))
    return found


def _asked(plan: Plan) -> Asked:
    """The names that the components ask for, made where no engine is."""
    import asyncio
    import logging

    from pulumi.runtime import mocks, settings

    from tierstack.platform.shared import current_run
    from tierstack.stack.making import Components

    class NoEngine(mocks.Mocks):
        def new_resource(self, args: mocks.MockResourceArgs) -> Any:
            return f"{args.name}-id", dict[str, Any]()

        def call(self, args: mocks.MockCallArgs) -> Any:
            return {}  # there is no state

    quiet = logging.Logger("without an engine")
    quiet.addHandler(logging.NullHandler())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(NoEngine(), preview=True, logger=quiet)
        Components(plan.components).all()
        return current_run().asked
    finally:
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        loop.close()
        asyncio.set_event_loop(None)
        # Registrations of this thread are kept where every thread finds them, and would be waited for on a closed loop.
        shared: Any = settings.SETTINGS  # its class does not declare them
        shared.rpc_manager.clear()
        shared.outputs.clear()
