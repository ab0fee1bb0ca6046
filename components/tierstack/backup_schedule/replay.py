"""What a restored data directory needs to be replayed, by whichever way it came. The agent in the container runs this
very file. It imports the standard library only."""

from datetime import datetime
from pathlib import Path

from tierstack.backup_schedule.layout import Hole
from tierstack.backup_schedule.status import stamp


def prepare(to: Path, received: Path, target: str) -> None:
    """Write `restore.conf` and `restore_hba.conf`, with which PostgreSQL answers on a local socket only and replays the
    log from the directory `received`. `target`: settings that say to which moment."""
    # Without a target there would be plain crash recovery; as an archive recovery it ends on a timeline of its own.
    (to / "recovery.signal").touch()
    (to / "restore_hba.conf").write_text("local all all trust\n")
    (to / "restore.conf").write_text(
        # What recovery demands of a hot standby would have to match the primary; without one, it is not asked for.
        f"listen_addresses = ''\nunix_socket_directories = '/tmp'\nhba_file = '{to}/restore_hba.conf'\n"
        f'hot_standby = off\narchive_mode = off\nrestore_command = \'cp "{received}/%f" "%p"\'\n{target}'
    )


def hole_problems(hole: Hole | None, at: datetime | None, ended: datetime | None) -> list[str]:
    """What forbids a restore beyond a hole in the log. `ended`: when the last segment before it arrived; a moment
    before that is not affected."""
    if hole is None or (at is not None and ended is not None and at < ended):
        return []
    missing = f"segment {hole.first}" if hole.count == 1 else f"{hole.count} segments from {hole.first} on"
    wrong = f"the write-ahead log has a hole: {missing} missing or damaged"
    what = f"--time = {stamp(at)}: {wrong}" if at else wrong
    if hole.after is None or ended is None:
        return [f"{what}, which the base backup itself needs; restore to a moment before that backup"]
    return [f"{what}; nothing written after it can be restored. Restore to a moment before {stamp(ended)}"]
