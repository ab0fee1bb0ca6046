"""`tierstack restore` of dumps."""

from datetime import datetime

from tierstack.cli import show
from tierstack.recovery import dumps
from tierstack.recovery.found import now
from tierstack.recovery.restoring import refuse_existing


def run(
    found: dumps.StoredDumps,
    stack: str,
    to: datetime | None,
    aside: str | None,
    *,
    dump: str | None,
    tables: tuple[str, ...],
    plan: bool,
    yes: bool,
    json: bool,
) -> None:
    """Restore a dump, or some of its tables, aside."""
    beside = aside or f"{found.at.catalog}-aside"
    refuse_existing(found.host, beside)
    planned = dumps.planned(found, dump, to, tables, now())
    lines = planned.lines(now(), f"into the new volume {beside}")
    if plan:
        lines += planned.listing()
    if not show.agreed("Restore?", lines, {"stack": stack}, plan=plan, yes=yes, json=json):
        return
    image, tell = found.server_image(), show.progress(json=json)
    restored = dumps.put_aside(found, beside, planned.dump, tables, image, tell)
    seconds, result = round(restored.seconds, 1), "restored with errors" if restored.errors else "restored"
    if json:
        said = {"seconds": seconds, "container": beside, "tables": restored.tables, "errors": restored.errors}
        show.as_json({"stack": stack, "result": result, "plan": lines, **said})
    else:
        shown = show.bad(result) if restored.errors else show.good(result)
        show.say(f"{shown} in {seconds:g} s: {len(restored.tables)} tables, container {show.bold(beside)}")
        if restored.errors:
            show.warn(restored.errors)
        show.say(f"  look at it:  {found.dialect.look(beside, found.at.database)}")
        show.say(f"  remove it:   docker rm -f {beside} && docker volume rm {beside}")
    show.end(ok=restored.errors is None)
