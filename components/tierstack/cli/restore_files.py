"""`tierstack restore` of backups of files."""

from datetime import datetime

from tierstack.backup_schedule.restic.files import BEFORE
from tierstack.cli import show
from tierstack.engine.project import UsageError
from tierstack.recovery import files
from tierstack.recovery.found import now
from tierstack.recovery.host import Host


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
        refuse_existing(found.host, beside)
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
    show.say(f"  look at it:  docker run --rm -v {volume}:/files:ro {found.at.image[:19]} ls -l /files")
    show.say(f"  remove it:   docker volume rm {volume}")


def refuse_existing(host: Host, aside: str) -> None:
    """Raise UsageError where the name of a restore is taken."""
    if host.succeeds(["docker", "volume", "inspect", aside]) or host.succeeds(["docker", "inspect", aside]):
        raise UsageError(
            f"there is a volume or container {aside} already. Remove it (docker rm -f {aside} && docker volume rm "
            f"{aside}), or give another name with --aside"
        )
