"""The conformance probe against an S3 API in memory: what is there is found, and what is not is named."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.object_storage.imitation import AnswerError, Bucket, Client
from tierstack.object_storage import conformance, probe, probed

pytestmark = pytest.mark.pure
RULE = {"Status": "Enabled"}


@pytest.fixture(autouse=True)
def short_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that has ended before anybody waited for it in vain."""
    monkeypatch.setattr(probe, "LOCK_SECONDS", 0.2)


def clients(bucket: Bucket, **changed: Client | None) -> dict[str, Any]:
    """Clients with the rights that they should have."""
    right: dict[str, Client | None] = {
        "write": Client(bucket, "write", "read", "list"),
        "prune": Client(bucket, "delete", "read", "list"),
        "drill": Client(bucket, "read", "list"),
        "wrong": Client(bucket),
    }
    return {purpose: one for purpose, one in (right | changed).items() if one}


def found(bucket: Bucket, **changed: Client | None) -> dict[str, str]:
    settings = {"bucket": "shop", "prefix": "prod"}
    return probe.Probe(settings, clients(bucket, **changed)).run()


def test_everything_is_found_and_nothing_is_left() -> None:
    bucket = Bucket(rules=[RULE])
    assert found(bucket) == {one.name: conformance.YES for one in conformance.CAPABILITIES}
    assert not any(bucket.objects.values())


@pytest.mark.parametrize(
    ("bucket", "lacking"),
    [
        (Bucket(versioned=False, rules=[RULE]), {"versioning", "object_lock"}),
        (Bucket(locks=False, rules=[RULE]), {"object_lock"}),
        (Bucket(keeps_locks=False, rules=[RULE]), {"object_lock"}),
        (Bucket(rules=None), {"lifecycle", "replication"}),
        (Bucket(rules=[]), {"lifecycle", "replication"}),
        (Bucket(rules=[{"Status": "Disabled"}]), {"lifecycle", "replication"}),
        (Bucket(cut=True, rules=[RULE]), {"multipart"}),
    ],
)
def test_what_a_bucket_lacks_is_named(bucket: Bucket, lacking: set[str]) -> None:
    findings = found(bucket)
    assert {name for name, said in findings.items() if said != conformance.YES} == lacking


def test_an_endpoint_that_cannot_is_told_from_a_bucket_that_has_not() -> None:
    assert found(Bucket(rules=None))["lifecycle"] == conformance.UNSUPPORTED
    assert found(Bucket(rules=[]))["lifecycle"] == "the bucket has no lifecycle rule that is enabled"


@pytest.mark.parametrize(
    ("changed", "capability", "why"),
    [
        (lambda b: {"write": Client(b, "write", "read", "list", "delete")}, "prune_key", "the write key may delete"),
        (lambda b: {"drill": Client(b, "read", "list", "write")}, "drill_key", "the drill key may write"),
        (lambda b: {"drill": Client(b, "read", "list", "delete")}, "drill_key", "the drill key may delete"),
        (lambda b: {"wrong": Client(b, "list")}, "refuses_wrong_key", "a wrong secret may list the bucket"),
        (lambda b: {"prune": None}, "prune_key", "there is no prune key: one key writes and deletes"),
        (
            lambda b: {"prune": None},
            "object_lock",
            "not tried: there is no prune key, whose deletion a lock must refuse",
        ),
        (lambda b: {"drill": None}, "drill_key", "there is no drill key: drills read with the write key"),
        (lambda b: {"drill": Client(b)}, "drill_key", "AccessDenied: An error occurred (AccessDenied)"),
    ],
)
def test_keys_that_may_too_much_are_named(
    changed: Callable[[Bucket], dict[str, Client | None]], capability: str, why: str
) -> None:
    bucket = Bucket(rules=[RULE])
    assert found(bucket, **changed(bucket))[capability] == why


def test_keys_that_are_refused_everywhere_give_findings_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    bucket = Bucket()
    findings = found(bucket, write=Client(bucket), prune=Client(bucket), drill=Client(bucket))
    assert findings["put"] == "AccessDenied: An error occurred (AccessDenied)"
    assert findings["refuses_wrong_key"] == conformance.YES
    assert capsys.readouterr().err.rstrip().endswith("/: AccessDenied")


def test_a_lock_that_never_ends_is_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(rules=[RULE])
    prune = Client(bucket, "read", "list")  # it cannot delete at all, locked or not
    monkeypatch.setattr(probe, "UNLOCK_SECONDS", 0.1)
    assert found(bucket, prune=prune)["object_lock"] == "a version stays locked after its time (AccessDenied)"


def test_another_error_than_a_refusal_is_told() -> None:
    def broken() -> None:
        raise AnswerError("SlowDown")

    with pytest.raises(AnswerError):
        probe.refused(broken)
    assert probe.finding(broken) == "SlowDown: An error occurred (SlowDown)"


def test_only_what_is_asked_for_fails_an_update() -> None:
    findings = {"put": "yes", "lifecycle": conformance.UNSUPPORTED, "versioning": "the bucket keeps no versions"}
    assert conformance.missing(["put", "replication"], findings) == {}
    lacking = conformance.missing(["put", "versioning"], findings)
    assert probed.report({"versioning": "versioning", "put": "bucket"}, lacking, "s3://shop").splitlines()[1:] == [
        "- `versioning` needs that an object is overwritten, and its old version read: the bucket keeps no versions"
    ]
