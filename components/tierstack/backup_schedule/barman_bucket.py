"""A bucket with backups of PostgreSQL: boto3 for the log and for looking, barman-cloud for base backups.

It needs boto3, Barman's cloud tools and the standard library, as the Barman image has them.
"""

import gzip
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout
from tierstack.backup_schedule.bucket import Bucket


class BarmanBucket(Bucket):
    """The folder of one PostgreSQL in a bucket, in barman-cloud's layout."""

    def barman(self, program: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run one of barman-cloud's programs; its exit code and output are the caller's to judge. `more`: variables of
        its environment."""
        endpoint = self.settings["endpoint_url"]
        command = [f"barman-cloud-{program}", "--cloud-provider", "aws-s3", "--aws-profile", self.profile]
        command += [*(["--endpoint-url", endpoint] if endpoint else []), *arguments]
        return subprocess.run(command, env={**self.environment, **more}, capture_output=True, text=True)

    def put_wal(self, name: str, content: bytes) -> None:
        """Store a file of the log, compressed as it is or now."""
        packed = content if content[:2] == layout.GZIP else gzip.compress(content, compresslevel=6)
        self.s3.put_object(Bucket=self.name, Key=layout.wal_key(self.folder, name), Body=packed)

    def wals(self) -> list[layout.StoredWal]:
        """Every file of the log that the bucket has."""
        found = ((layout.wal_name(one["Key"]), one) for one in self.objects("wals/"))
        return [
            layout.StoredWal(name, one["Key"], one["LastModified"].timestamp())
            for name, one in found
            if name is not None
        ]

    def histories(self, wals: list[layout.StoredWal]) -> dict[str, str]:
        """The texts of the timelines' histories among files of the log, by their names."""
        return {one.name: self.unpacked(one.key).decode() for one in wals if layout.HISTORY.fullmatch(one.name)}

    def fetch(self, wals: list[layout.StoredWal], into: Path) -> list[str]:
        """Bring files of the log into a directory; the names of those that are damaged, which are left out."""
        return [one.name for one in self.bring(wals, lambda one, content: (into / one.name).write_bytes(content))]

    def base_backups(self) -> list[dict[str, Any]]:
        """What the bucket's base backups say of themselves, in the form of `barman list-backups`; the oldest first."""
        infos = [one["Key"] for one in self.objects("base/") if one["Key"].endswith("/backup.info")]
        return [self._described(key) for key in sorted(infos)]

    def _described(self, key: str) -> dict[str, Any]:
        body: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        text = body.decode()
        values = layout.information(text)
        ended = values.get("end_time", "None")
        return {
            "backup_id": key.split("/")[-2],
            "status": values["status"],
            "end_time_timestamp": None if ended == "None" else datetime.fromisoformat(ended).timestamp(),
            "version": values.get("version"),
            "size_bytes": int(values["size"]) if values.get("size", "None") != "None" else 0,
            **layout.about(text),
        }
