"""What a restored data directory needs to be replayed, by whichever way it came. The agent in the container runs this
very file. It imports the standard library only."""

from pathlib import Path


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
