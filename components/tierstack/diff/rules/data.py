"""Rules about data that is lost, and about what cannot be undone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tierstack.diff.model import Operation, Property, at, elements
from tierstack.diff.quantities import days
from tierstack.diff.risk import Look, Risk, Rule, becomes, may_be, removed, replaced
from tierstack.diff.texts import fill

GOES = frozenset({Operation.DELETE})
REPLACED = frozenset({Operation.REPLACE})

DATABASE = ("kubernetes:postgresql.cnpg.io/*:Cluster",)
_OTHER_DATABASES = tuple(
    f"kubernetes:*{word}*/*:*"
    for word in (
        *("percona.com", "mysql", "mariadb", "postgres", "acid.zalan.do", "cockroach", "pingcap.com", "yugabyte"),
        *("mongodb", "redis", "dragonfly", "cassandra", "scylla", "clickhouse", "influxdata", "neo4j", "couchbase"),
        *("kafka", "rabbitmq", "elasticsearch", "opensearch", "minio", "etcd", "kubedb.com", "ceph.rook.io", "vitess"),
    )
)
"""Words in the groups of operators whose objects hold data."""
_CLAIMS = ("kubernetes:core/v1:PersistentVolumeClaim", "kubernetes:core/v1:PersistentVolume")
_GENERATORS = ("random:index/*", "kubernetes:generators.external-secrets.io/*:Password")
_STORES = tuple(
    f"*{word}*"
    for word in (
        *(
            "olume",
            "atabase",
            "ucket",
            "Zone",
            "zone",
            "napshot",
            "Disk",
            "disk",
            "able:Table",
            "ileSystem",
            "ileshare",
            "ataset",
            "serPool",
        ),
        *("docdb/cluster", "neptune/cluster", "redshift/cluster", "lasticache/", "emorydb/", "earch/domain"),
        *("ecretsmanager/secret:", "kms/key:"),
        *("torageAccount", "Vault", "vault", "Repository", "repository", "rds/instance", "rds/cluster", "KeyRing"),
    )
)
"""Words in the names of types that hold data, as clouds call them."""
_ABOUT_STORES = (
    *("attachment", "policy", "acl", "rule", "lifecycle", "record", "grant", "role", "files", "parameter", "client"),
    *("notification", "website", "configuration", "accessblock", "versioning", "association", "binding"),
    *("backup", "restore", "schedule", "pooler", "subnetgroup", "securitygroup"),
)
"""Words in the names of types that only configure such a thing."""
_DATA_NAMES = ("data", "catalog", "acme", "uploads")
"""Last words of the names of tierstack's volumes with data. Its others hold files that it writes again, or sockets."""


def _holds_data(look: Look) -> bool:
    """Whether a Docker volume holds what cannot be made again."""
    state = look.change.state
    if at(state, "driverOpts type") == "tmpfs":
        return False
    own = {"label": "app.kubernetes.io/managed-by", "value": "tierstack"} in elements(state.get("labels"))
    return not own or look.change.protected or look.change.name.rpartition("-")[2] in _DATA_NAMES


def _is_store(look: Look) -> bool:
    change = look.change
    known = change.type.startswith(("kubernetes:", "docker:", "tls:", "random:", "tierstack:", "pulumi"))
    return not known and not _is_about_a_store(change.kind)


def _is_about_a_store(kind: str) -> bool:
    name = kind.lower()
    return any(word in name for word in _ABOUT_STORES) or name.endswith("user")


def _is_operators(look: Look) -> bool:
    """Whether an object of an operator holds data: CloudNativePG has rules of its own."""
    return "cnpg.io/" not in look.change.type and not _is_about_a_store(look.change.kind)


def _anything(_: Look) -> bool:
    return True


def _instead_of_it(look: Look, _: Sequence[Property]) -> Mapping[str, object]:
    """What is made in its place, in words: most often it was renamed."""
    other = look.created_instead()
    return {"then": fill(", and {other} is created, empty", other=other.name) if other else ()}


def _store(
    id_: str, types: tuple[str, ...], holds: str, instead: str, is_one: Callable[[Look], bool] = _anything
) -> tuple[Rule, ...]:
    """The rules of one kind of thing that holds data: it is deleted, kept but given up, refused, or replaced."""

    def when(protected: bool, retained: bool) -> Callable[[Look], bool]:
        # What is both is refused while it is protected.
        return lambda look: (
            is_one(look) and look.change.protected == protected and (protected or look.change.retained == retained)
        )

    def rule(
        suffix: str, risk: Risk, operations: frozenset[Operation], what: str, condition: Callable[[Look], bool]
    ) -> Rule:
        return Rule(
            id=f"{id_}-{suffix}",
            risk=risk,
            types=types,
            operations=operations,
            what=what,
            instead=instead,
            condition=condition,
            facts=_instead_of_it,
        )

    return (
        rule("deleted", Risk.DATA_LOSS, GOES, f"is deleted with {holds}{{then}}", when(False, False)),
        rule(
            "abandoned",
            Risk.DATA_LOSS,
            GOES,
            f"leaves the stack: {holds} stays where it is, but nothing uses or manages it any more{{then}}",
            when(False, True),
        ),
        rule(
            "protected",
            Risk.REFUSED,
            GOES | REPLACED,
            f"would be deleted with {holds}, and is protected: the update stops there",
            when(True, False),
        ),
        rule(
            "replaced", Risk.DATA_LOSS, REPLACED, f"is deleted with {holds}, and made again, empty", when(False, False)
        ),
        rule(
            "replaced-elsewhere",
            Risk.DATA_LOSS,
            REPLACED,
            f"is made again, empty: the old one stays with {holds}, but nothing uses it any more",
            when(False, True),
        ),
    )


def _is_random(look: Look) -> bool:
    """Whether the value itself is in the state: of a generator of External Secrets it is in the Secret."""
    return look.change.type.startswith("random:")


def _another_value(look: Look, _: Sequence[Property]) -> Mapping[str, object]:
    other = look.created_instead()
    return {"then": fill(", and {other} generates another one", other=other.name) if other else ()}


def _major(image: Any) -> str:
    """The major version in the reference of an image, `17` of `…/postgresql:17.6@sha256:…`."""
    tag = str(image).partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tag.partition(".")[0].partition("-")[0]


def _another_major(old: Any, new: Any) -> bool:
    before, after = _major(old), _major(new)
    return before != after and before.isdecimal() and after.isdecimal()


def _kept_shorter(old: Any, new: Any) -> bool:
    before, after = days(old), days(new)
    return before is not None and after is not None and after < before


RULES = (
    *_store(
        "namespace",
        ("kubernetes:core/v1:Namespace",),
        "everything in it",
        "Move the data to the new namespace first, or keep `platform.name`.",
    ),
    *_store(
        "database",
        DATABASE,
        "all its data",
        "Keep its name if it was only renamed. Otherwise make a backup, and restore it into the new database first.",
    ),
    *_store(
        "database",
        _OTHER_DATABASES,
        "all its data",
        "Make a backup, and restore it into what replaces it.",
        _is_operators,
    ),
    *_store(
        "definition",
        ("kubernetes:apiextensions.k8s.io/*:CustomResourceDefinition",),
        "every object of its kind in the cluster",
        "Keep it as long as anything of its kind is there, in every namespace.",
    ),
    *_store("claim", _CLAIMS, "all that is on it", "Copy its files first, or keep what it belongs to."),
    *_store(
        "volume",
        ("docker:index/volume:Volume",),
        "all that is in it",
        "Copy its files first, or keep what it belongs to.",
        _holds_data,
    ),
    *_store(
        "any-store",
        _STORES,
        "what it holds",
        "Make a backup, or keep it: most providers have a rename or an import for it.",
        _is_store,
    ),
    Rule(
        id="backups-deleted-sooner",
        risk=Risk.DATA_LOSS,
        types=("kubernetes:barmancloud.cnpg.io/*:ObjectStore",),
        path="spec retentionPolicy",
        test=_kept_shorter,
        what="keeps backups for {new} instead of {old}: older ones are deleted from the bucket",
        instead="Copy the backups that must be kept to another bucket first.",
    ),
    Rule(
        id="redis-smaller",
        risk=Risk.DATA_LOSS,
        types=("kubernetes:core/v1:ConfigMap", "pulumi-python:dynamic/docker:VolumeFiles"),
        path="**",
        test=lambda old, new: _directive(old, "appendonly") == "yes" and _directive(new, "appendonly") == "no",
        what="no longer writes each change to disk (appendonly): a restart loses what is in memory",
        instead="Keep `appendonly yes` for queues and sessions.",
    ),
    Rule(
        id="database-major-version",
        risk=Risk.IRREVERSIBLE,
        types=DATABASE,
        path="spec imageName",
        test=_another_major,
        what="is upgraded to another major version of PostgreSQL: offline, and there is no way back but a restore",
        instead="Rehearse it on a copy restored from a backup, and take a backup right before.",
    ),
    Rule(
        id="generated-value-replaced",
        risk=Risk.IRREVERSIBLE,
        types=_GENERATORS,
        operations=REPLACED,
        what="generates another value: whoever has the old one is refused, and the old one is gone",
        instead="Keep its arguments as they are, unless this is a rotation.",
    ),
    Rule(
        id="generated-value-deleted",
        risk=Risk.IRREVERSIBLE,
        types=_GENERATORS,
        operations=GOES,
        what="is forgotten with the value that it generated{then}",
        instead="Keep it while anything still uses its value. If it was only renamed, give it an alias.",
        condition=lambda look: _is_random(look) or look.created_instead() is None,
        facts=_another_value,
    ),
    Rule(
        id="private-key-replaced",
        risk=Risk.IRREVERSIBLE,
        types=("tls:index/privateKey:PrivateKey",),
        operations=REPLACED,
        what="is made anew: certificates of the old key are replaced with it",
        instead="Nothing, if whoever trusts the certificates trusts their CA.",
    ),
    Rule(
        id="authority-replaced",
        risk=Risk.IRREVERSIBLE,
        types=("tls:index/selfSignedCert:SelfSignedCert",),
        operations=REPLACED,
        condition=lambda look: look.change.state.get("isCaCertificate") is True,
        what="is another CA: clients that trust the old one refuse the new certificates",
        instead="Give clients the new CA first.",
    ),
    Rule(
        id="final-snapshot-skipped",
        risk=Risk.IRREVERSIBLE,
        types=("*",),
        path=("** skipFinalSnapshot", "** forceDestroy", "** forceDelete"),
        test=becomes(True),
        what="may from now on be deleted without a last snapshot, or with what is in it",
        instead="Leave the option off in production.",
    ),
    Rule(
        id="encryption-key-changed",
        risk=Risk.IRREVERSIBLE,
        types=("*",),
        path="** kmsKeyId",
        test=may_be(replaced, removed),
        what="is encrypted with another key",
        instead="Keep the old key: what was encrypted with it needs it.",
    ),
)


def _directive(text: Any, name: str) -> str:
    """The value of a setting in a file of Redis."""
    found = (
        [line.split() for line in str(text).splitlines() if line.strip().startswith(f"{name} ")]
        if isinstance(text, str)
        else []
    )
    return found[-1][1].strip("\"'") if found and len(found[-1]) > 1 else ""
