"""`tierstack restore` of backups of files."""

import shlex
from datetime import datetime

from tierstack.backup_schedule.restic.files import BEFORE
from tierstack.cli import show
from tierstack.recovery import files
from tierstack.recovery.found import now
from tierstack.recovery.restoring import refuse_existing

_FILE = "PATH/OF/FILE"


def run(
    found: files.StoredFiles,
    stack: str,
    to: datetime | None,
    aside: str | None,
    *,
    in_place: bool,
    plan: bool,
    yes: bool,
    json: bool,
) -> None:
    """Restore the newest backup of a moment or before, aside or in the place of the files."""
    beside = aside or f"{found.at.catalog}-{'in-place' if in_place else 'aside'}"
    if in_place:
        files.refuse_in_place(found, beside)
    else:
        refuse_existing(found.host, beside)
    planned = files.planned(to, found.snapshots(), found.drills(), now())
    into = f"in the place of the files in {found.at.volume}" if in_place else f"into the new volume {beside}"
    lines = planned.lines(now(), into)
    if not show.agreed("Restore?", lines, {"stack": stack}, plan=plan, yes=yes, json=json):
        return
    tell = show.progress(json=json)
    began = now()
    if in_place:
        files.put_in_place(found, beside, planned.snapshot, tell)
    else:
        files.put_aside(found, beside, planned.snapshot, tell)
    seconds = round((now() - began).total_seconds(), 1)
    volume = found.at.volume if in_place else beside
    if json:
        show.as_json({"stack": stack, "result": "restored", "plan": lines, "seconds": seconds, "volume": volume})
        return
    show.say(f"{show.good('restored')} in {seconds:g} s: volume {show.bold(volume)}")
    if in_place:
        show.say(f"What was there before is kept as `{BEFORE}` in it. When nobody needs that:")
        show.say(f"  {files.removal(found.at)}")
        return
    at = found.at
    show.say(f"  look at it:     docker run --rm -v {volume}:/files:ro {at.image[:19]} ls -l /files")
    show.say(f"  copy one file:  {shlex.join(files.copy_one(at, volume, _FILE))}")
    show.say(f"  copy all:       {shlex.join(files.copy_all(at, volume))}")
    show.say(f"  remove it:      docker volume rm {volume}")
    show.say(f"A copy replaces files of the same name in {at.volume}. Write the path of the file instead of {_FILE}.")
