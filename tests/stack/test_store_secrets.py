"""docs/gitops.md lists what a rendered stack reads from the secret store: the list is what the components ask for."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tierstack as ts
from tests.names.whole import PLATFORMS, shop
from tests.support import run_program
from tests.tls.pairs import Pair
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.tls import ExternalAccountArgs

pytestmark = pytest.mark.graph

PAGE = Path(__file__).resolve().parents[2] / "docs/gitops.md"
NAMES = ["shop.example.org"]


def read_from_store(program: Callable[[], Any]) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = defaultdict(set)
    for one in run_program(program).made:
        if one.type.endswith(":ExternalSecret"):
            for entry in one.inputs["spec"].get("data", []):
                keys[entry["remoteRef"]["key"]].add(entry["remoteRef"]["property"])
    return dict(keys)


def tls(**arguments: Any) -> Callable[[], Any]:
    return lambda: ts.TLS("tls", ts.TLSArgs(platform=PLATFORMS["rendered"], hostnames=NAMES, **arguments))


def test_the_page_lists_every_secret_of_the_store() -> None:
    update = Rfc2136Args(server="192.0.2.53", key_name="acme", key_secret="aHVudGVyMg==")
    external = ExternalAccountArgs(key_id="one", hmac_key="aHVudGVyMg")
    pair = Pair.make(NAMES)
    given = ts.GivenCertificateArgs(certificate_pem=pair.chain, private_key_pem=pair.key)
    read = {
        **read_from_store(lambda: shop(PLATFORMS["rendered"], ts.Tier.USERS_1M)),
        **read_from_store(tls(given=given)),
        **read_from_store(tls(acme=ts.ACMEArgs(email="ops@shop.example", dns=update, eab=external))),
    }
    assert read["shop/web-secrets"] == {"APP_KEY"}  # the keys are the user's
    rows = re.findall(r"^\| `NAMESPACE/([\w-]+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    told = {f"shop/{name}": set(re.findall(r"`([^`]+)`", keys)) for name, keys in rows}
    assert told == {**read, "shop/web-secrets": {"app.secrets"}}
