"""What runs in a container beside a store: makes the bucket of a self-hosted one, and tries what it can do.

    python3 -m tierstack.object_storage.probe

It reads `/etc/tierstack/probe.json` and prints one line of JSON: each capability with `yes` or the reason why not. It
needs boto3 and the standard library. Objects of a probe lie below `<prefix>/.tierstack-probe/`, and are removed as far
as the keys and locks allow: one locked version of a few bytes stays until its lock has ended.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tierstack.object_storage import conformance

CONFIG = Path("/etc/tierstack")
SETTINGS = "probe.json"
FOLDER = ".tierstack-probe"
REACH_SECONDS = 60
"""How long the endpoint may take to answer at all."""
LOCK_SECONDS = 4.0
"""How long the probe locks a version: long enough for a busy host to ask for its deletion meanwhile."""
UNLOCK_SECONDS = 30.0
"""How long after its lock a version may stay undeletable, where clocks differ."""
PART_BYTES = 5 * 2**20
"""The least size of a part that is not the last (Amazon S3: Multipart upload limits)."""
REFUSED = ("AccessDenied", "Forbidden", "403")
UNSUPPORTED = ("NotImplemented", "501")


class UnableError(Exception):
    """The endpoint cannot do something; the message says why."""


def library(name: str) -> Any:
    """A module of boto3, which is there in the container only."""
    return importlib.import_module(name)


def client(settings: dict[str, Any], key: dict[str, str]) -> Any:
    """An S3 client of the endpoint with one of the keys."""
    options = library("botocore.config").Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2})
    return library("boto3").client(
        "s3",
        endpoint_url=settings["endpoint_url"],
        region_name=settings["region"],
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        config=options,
    )


def code_of(error: BaseException) -> str:
    """The code of an error that S3 answered, else the kind of the error."""
    answer: dict[str, Any] = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code") or type(error).__name__)


def refused(action: Callable[[], object]) -> bool:
    """Whether the endpoint refuses an action for want of a right. Another error is passed on."""
    try:
        action()
    except Exception as error:
        if code_of(error) in REFUSED:
            return True
        raise
    return False


class Probe:
    """One run against one bucket."""

    def __init__(self, settings: dict[str, Any], clients: dict[str, Any]) -> None:
        """`clients` by purpose: `write`, `wrong`, and `prune` and `drill` where there are such keys."""
        self.bucket: str = settings["bucket"]
        self.folder = "/".join([*([settings["prefix"]] if settings["prefix"] else []), FOLDER])
        self.write, self.wrong = clients["write"], clients["wrong"]
        self.prune, self.drill = clients.get("prune"), clients.get("drill")
        self.mark = str(time.time_ns()).encode()

    def at(self, name: str) -> dict[str, str]:
        """Bucket and key of one of the probe's objects."""
        return {"Bucket": self.bucket, "Key": f"{self.folder}/{name}"}

    def run(self) -> dict[str, str]:
        """Each capability with its finding."""
        tried: dict[str, Callable[[], None]] = {
            conformance.PUT: self.put,
            conformance.LIST: self.list,
            conformance.MULTIPART: self.multipart,
            conformance.REFUSES_WRONG_KEY: self.wrong_key,
            conformance.VERSIONING: self.versioning,
            conformance.OBJECT_LOCK: self.object_lock,
            conformance.LIFECYCLE: self.lifecycle,
            conformance.REPLICATION: self.replication,
            conformance.PRUNE_KEY: self.prune_key,
            conformance.DRILL_KEY: self.drill_key,
        }
        found = {one.name: finding(tried[one.name]) for one in conformance.CAPABILITIES}
        self.tidy()
        return found

    def put(self) -> None:
        self.write.put_object(**self.at("object"), Body=self.mark)
        if self.read(self.write, "object") != self.mark:
            raise UnableError("what is read is not what was written")

    def list(self) -> None:
        listed = self.write.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.folder}/")
        keys = [one["Key"] for one in listed.get("Contents", [])]
        if self.at("object")["Key"] not in keys:
            raise UnableError("the listing does not show an object that was just written")

    def multipart(self) -> None:
        at = self.at("parts")
        upload = self.write.create_multipart_upload(**at)["UploadId"]
        parts: list[dict[str, Any]] = []
        bodies = (b"0" * PART_BYTES, self.mark)
        try:
            for number, body in enumerate(bodies, 1):
                made = self.write.upload_part(**at, UploadId=upload, PartNumber=number, Body=body)
                parts.append({"PartNumber": number, "ETag": made["ETag"]})
            self.write.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": parts})
        except Exception:
            self.write.abort_multipart_upload(**at, UploadId=upload)
            raise
        size = self.write.head_object(**at)["ContentLength"]
        if size != sum(map(len, bodies)):
            raise UnableError(f"an object of two parts has {size} bytes instead of {sum(map(len, bodies))}")

    def wrong_key(self) -> None:
        try:
            self.wrong.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
        except Exception as error:
            if code_of(error) in ("SignatureDoesNotMatch", "InvalidAccessKeyId", *REFUSED):
                return
            raise
        raise UnableError("a wrong secret may list the bucket")

    def versioning(self) -> None:
        first = self.write.put_object(**self.at("versions"), Body=b"first").get("VersionId")
        second = self.write.put_object(**self.at("versions"), Body=b"second").get("VersionId")
        if not first or not second or first == second:
            configured(lambda: [self.write.get_bucket_versioning(Bucket=self.bucket)])
            raise UnableError("the bucket keeps no versions: enable its versioning")
        old = self.write.get_object(**self.at("versions"), VersionId=first)["Body"].read()
        if old != b"first":
            raise UnableError("the old version has not its old content")

    def object_lock(self) -> None:
        """Refused while it is locked, and possible after: a key that may not delete at all would prove nothing."""
        if self.prune is None:
            raise UnableError("not tried: there is no prune key, whose deletion a lock must refuse")
        until = datetime.now(UTC) + timedelta(seconds=LOCK_SECONDS)
        retained = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
        try:
            version = self.write.put_object(**self.at("locked"), Body=self.mark, **retained)["VersionId"]
        except Exception as error:
            raise UnableError(f"the bucket takes no locked object ({code_of(error)})") from None
        try:
            self.prune.delete_object(**self.at("locked"), VersionId=version)
        except Exception as error:
            if code_of(error) not in (*REFUSED, "ObjectLocked"):
                raise
        else:
            raise UnableError("a locked version was deleted")
        deadline = time.monotonic() + LOCK_SECONDS + UNLOCK_SECONDS
        while True:
            try:
                self.prune.delete_object(**self.at("locked"), VersionId=version)
                return
            except Exception as error:
                if time.monotonic() > deadline:
                    raise UnableError(f"a version stays locked after its time ({code_of(error)})") from None
                time.sleep(0.5)

    def lifecycle(self) -> None:
        rules = configured(
            lambda: self.write.get_bucket_lifecycle_configuration(Bucket=self.bucket)["Rules"],
            none="NoSuchLifecycleConfiguration",
        )
        if not any(rule.get("Status") == "Enabled" for rule in rules):
            raise UnableError("the bucket has no lifecycle rule that is enabled")

    def replication(self) -> None:
        rules = configured(
            lambda: self.write.get_bucket_replication(Bucket=self.bucket)["ReplicationConfiguration"]["Rules"],
            none="ReplicationConfigurationNotFoundError",
        )
        if not any(rule.get("Status") == "Enabled" for rule in rules):
            raise UnableError("the bucket has no replication rule that is enabled")

    def prune_key(self) -> None:
        if self.prune is None:
            raise UnableError("there is no prune key: one key writes and deletes")
        self.write.put_object(**self.at("pruned"), Body=self.mark)
        if not refused(lambda: self.write.delete_object(**self.at("pruned"))):
            raise UnableError("the write key may delete")
        self.prune.delete_object(**self.at("pruned"))

    def drill_key(self) -> None:
        drill = self.drill
        if drill is None:
            raise UnableError("there is no drill key: drills read with the write key")
        if self.read(drill, "object") != self.mark:
            raise UnableError("the drill key reads something else than was written")
        if not refused(lambda: drill.put_object(**self.at("drill"), Body=self.mark)):
            raise UnableError("the drill key may write")
        if not refused(lambda: drill.delete_object(**self.at("object"))):
            raise UnableError("the drill key may delete")

    def read(self, by: Any, name: str) -> bytes:
        """The content of one of the probe's objects."""
        return by.get_object(**self.at(name))["Body"].read()

    def tidy(self) -> None:
        """Remove what this run and earlier ones left. What is locked, or may not be deleted, stays for the next."""
        by = self.prune or self.write
        try:
            versions = everything(by, {"Bucket": self.bucket, "Prefix": f"{self.folder}/"})
        except Exception as error:  # what the findings say already must reach whoever reads them
            print(f"left {self.folder}/: {code_of(error)}", file=sys.stderr)
            return
        for one in versions:
            which = {"VersionId": one["VersionId"]} if one.get("VersionId") else {}
            try:
                by.delete_object(Bucket=self.bucket, Key=one["Key"], **which)
            except Exception as error:
                print(f"left {one['Key']}: {code_of(error)}", file=sys.stderr)


def everything(by: Any, where: dict[str, str]) -> list[dict[str, Any]]:
    """All objects in a place, in every version where the endpoint lists versions."""
    try:
        listed = by.list_object_versions(**where)
        return [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    except Exception:
        return by.list_objects_v2(**where).get("Contents", [])


def configured(ask: Callable[[], Any], *, none: str = "") -> list[dict[str, Any]]:
    """What a bucket has configured; empty where the answer is that there is `none`."""
    try:
        return ask()
    except Exception as error:
        code = code_of(error)
        if code == none:
            return []
        if code in UNSUPPORTED:
            raise UnableError(conformance.UNSUPPORTED) from None
        if code in REFUSED:
            raise UnableError("not known: the write key may not read it (AccessDenied)") from None
        raise


def finding(attempt: Callable[[], None]) -> str:
    """`yes`, or why not."""
    try:
        attempt()
    except UnableError as error:
        return str(error)
    except Exception as error:
        return f"{code_of(error)}: {error}"[:300]
    return conformance.YES


def reach(root: Any, seconds: float = REACH_SECONDS) -> None:
    """Wait until the endpoint answers. Raises SystemExit where it does not."""
    errors = library("botocore.exceptions")
    deadline = time.monotonic() + seconds
    while True:
        try:
            root.list_buckets()
            return
        except errors.ClientError as error:
            answer: dict[str, Any] = getattr(error, "response", {})
            if answer["ResponseMetadata"]["HTTPStatusCode"] < 500:
                return  # it answers, if only that this key may not list
            said = str(error)
        except errors.BotoCoreError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise SystemExit(f"the endpoint did not answer within {seconds:g} s: {said}")
        time.sleep(0.5)


def make_bucket(root: Any, settings: dict[str, Any]) -> None:
    """The bucket of a self-hosted store as it is declared. Repeating it changes nothing."""
    bucket, wanted = settings["bucket"], settings["make"]
    locks = wanted["lock_days"] is not None
    if bucket not in [one["Name"] for one in root.list_buckets()["Buckets"]]:
        root.create_bucket(Bucket=bucket, **({"ObjectLockEnabledForBucket": True} if locks else {}))
    if wanted["versioning"] or locks:
        root.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    if locks:
        retention = {"Mode": "GOVERNANCE", "Days": wanted["lock_days"]}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
        root.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps(wanted["policy"]))


def main() -> int:
    """Make the bucket where that is asked for, try everything, print what was found."""
    settings = json.loads((CONFIG / SETTINGS).read_text())
    if settings["ca_path"]:
        os.environ["AWS_CA_BUNDLE"] = settings["ca_path"]
    keys: dict[str, dict[str, str]] = settings["keys"]
    keys["wrong"] = {"id": keys["write"]["id"], "secret": "wrong" + keys["write"]["secret"][5:]}
    clients = {purpose: client(settings, key) for purpose, key in keys.items()}
    reach(clients.get("root") or clients["write"])
    if settings["make"]:
        make_bucket(clients["root"], settings)
    print(json.dumps(Probe(settings, clients).run()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
