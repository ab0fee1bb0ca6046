"""DKIM key pairs that the engine makes, and the resource that knows which of them have signed."""

from datetime import UTC, datetime
from typing import Any

import pulumi
import pulumi_tls as tls
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from tierstack.dns_records.mail.dkim import rotation as dkim_rotation
from tierstack.dns_records.mail.dkim.record import GOOD_RSA_BITS
from tierstack.dns_records.mail.dkim.rotation import Keys
from tierstack.dns_records.options import DkimAlgorithm

Props = dict[str, Any]


class _Provider(ResourceProvider):
    """Holds nothing in the world: its inputs are the memory from one update to the next."""

    serialize_as_secret_always = False

    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse at preview what would leave signatures without a key, and add to the memory."""
        before, now, at = _keys(_olds), _keys(news), datetime.now(UTC).replace(microsecond=0)
        assert now
        failures = [CheckFailure("published", sentence) for sentence in dkim_rotation.steps(before, now, at)]
        memory = dkim_rotation.remembered(before, now, at)
        return CheckResult({**news, "since": memory.since, "signed": memory.signed}, failures)

    def create(self, props: Props) -> CreateResult:
        """Remember."""
        return CreateResult(str(props["domain"]), _outputs(props))

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Another domain is another memory."""
        replaces = ["domain"] if _olds.get("domain") != _news.get("domain") else []
        return DiffResult(changes=_outputs(_olds) != _outputs(_news), replaces=replaces, delete_before_replace=False)

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Remember."""
        return UpdateResult(_outputs(_news))


def _keys(props: Props) -> Keys | None:
    if not props.get("published"):
        return None
    return Keys(props["published"], props["signing"], props.get("since") or {}, props.get("signed") or {})


def _outputs(props: Props) -> Props:
    return {key: props.get(key) for key in ("domain", "published", "signing", "since", "signed")}


class DkimRotation(Resource, module="tierstack", name="DkimRotation"):
    """The DKIM selectors of a domain, and those that have signed: what an update may do depends on it."""

    def __init__(self, name: str, *, domain: str, keys: Keys, opts: pulumi.ResourceOptions) -> None:
        props: Props = {"domain": domain, "published": dict(keys.published), "signing": list(keys.signing)}
        super().__init__(_Provider(), name, props, opts)


def key_pair(name: str, kind: DkimAlgorithm, opts: pulumi.ResourceOptions) -> tls.PrivateKey:
    """A key pair in the engine's state, where its private half is a secret."""
    if kind is DkimAlgorithm.ED25519:
        return tls.PrivateKey(name, algorithm="ED25519", opts=opts)
    return tls.PrivateKey(name, algorithm="RSA", rsa_bits=GOOD_RSA_BITS, opts=opts)
