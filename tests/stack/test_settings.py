"""Settings: what a configuration may hold, and what is said of a wrong one."""

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.changes import put
from tests.support import run_program
from tests.tls.pairs import Authority, Pair
from tierstack.core.arguments import load
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import ArgumentError
from tierstack.core.tier import Tier
from tierstack.dns_records import args as dns_args
from tierstack.dns_records.zone.compose import compose
from tierstack.platform import DataProtection
from tierstack.stack import advice, wiring
from tierstack.stack.check import judge
from tierstack.stack.program import build
from tierstack.stack.reference import markdown
from tierstack.stack.settings import key_of, names, read

CASES = Path(__file__).parent.parent / "cases" / "settings"
BASE: dict[str, Any] = yaml.safe_load((CASES / "base.yaml").read_text())
WRONG: list[dict[str, Any]] = yaml.safe_load((CASES / "wrong.yaml").read_text())


@pytest.fixture
def base() -> dict[str, Any]:
    return yaml.safe_load((CASES / "base.yaml").read_text())


def said(config: dict[str, Any], secret: list[str] | None = None) -> list[str]:
    return [str(one) for one in judge(config, frozenset(secret or []), "test", "shop").problems]


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    config = yaml.safe_load((CASES / "base.yaml").read_text())
    for path, value in case["set"].items():
        put(config, path, value)
    return judge(config, frozenset(case.get("secret", [])), "test", "shop").problems


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_base_of_the_cases_is_right(base: dict[str, Any], kind: str) -> None:
    put(base, "platform.kind", kind)
    assert said(base) == []


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["name"].replace(" ", "-"))
def test_wrong_configuration(case: dict[str, Any]) -> None:
    found = [str(one) for one in problems_of(case)]
    assert len(found) == case.get("problems", len(found))
    if "expect" in case:
        assert found == case["expect"]
    else:
        assert found
        for part in case["contains"]:
            assert any(part in line for line in found), found


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("app.replicas", "write a value, or remove the key"),  # an int or None, in the arguments
        ("backups.retention_days", "write a value, or remove the key"),
        ("gateway.stop_seconds", "write a whole number"),  # an int, with a default
        ("ignore", "write a value, or remove the key"),
        ("kubernetes.database.ca_generation", "write a whole number"),
        ("docker.app.uploads", "write a value, or remove the key"),
        ("app.php.document_root", "write a text"),
        ("dns", "write a value, or remove the key"),
    ],
)
def test_an_empty_key_is_refused_wherever_it_stands(base: dict[str, Any], path: str, hint: str) -> None:
    inside = base
    *groups, key = path.split(".")
    for group in groups:
        inside = inside.setdefault(group, {})
    inside[key] = None
    found = [one for one in judge(base, frozenset(), "test", "shop").problems if one.path == path]
    assert [(one.message, one.hint.partition(", such as")[0]) for one in found] == [("is empty", hint)]


def test_every_case_is_another() -> None:
    names = [case["name"] for case in WRONG]
    assert len(names) == len(set(names)) >= 40


def test_what_holds_on_one_platform_is_laid_over_the_rest(base: dict[str, Any]) -> None:
    base["docker"] = {"database": {"memory_mb": 512}}
    base["kubernetes"]["database"] = {"memory_mb": 1024, "cpu": 3}
    docker = read(base)
    put(base, "platform.kind", "kubernetes")
    kubernetes = read(base)
    assert (docker.database.memory_mb, docker.database.cpu) == (512, None)
    assert (kubernetes.database.memory_mb, kubernetes.database.cpu) == (1024, 3.0)
    assert kubernetes.object_storage.bucket == "shop-backups"


def test_reading_changes_nothing(base: dict[str, Any]) -> None:
    before = copy.deepcopy(base)
    settings = read(base)
    assert base == before
    assert settings.tier is Tier.USERS_100K


PUBLISH = {"rfc2136": {"server": "ns1.shop.example", "key_name": "shop", "key_secret": "(secret)"}}


@pytest.mark.parametrize(("kind", "secret"), [("docker", "docker"), ("kubernetes", "kubernetes"), ("docker", "dns")])
def test_a_secret_of_one_platform_is_encrypted_below_its_key(base: dict[str, Any], kind: str, secret: str) -> None:
    put(base, "platform.kind", kind)
    put(base, f"{kind}.platform.render_to", None)
    put(base, f"{kind}.object_storage", None)
    put(base, "backups", None)
    put(base, f"{kind}.dns.publish.cloudflare.token", "real")
    key = f"{kind}.dns.publish.cloudflare.token"
    refused = (
        f"{key} = (hidden): is a secret that stands in plaintext in the configuration; write it with "
        f"`pulumi config set --secret --path '{key}'`, and change the secret itself"
    )
    assert said(base, [secret]) == ([] if secret == kind else [refused])


@pytest.mark.parametrize(
    ("platform", "publish", "host", "protection"),
    [
        ({"kind": "docker"}, PUBLISH, "rfc2136", DataProtection.PROTECT),
        ({"kind": "docker", "data_protection": "none"}, PUBLISH, "rfc2136", DataProtection.NONE),
        (
            {"kind": "docker", "data_protection": "none"},
            {**PUBLISH, "data_protection": "retain"},
            "rfc2136",
            DataProtection.RETAIN,
        ),
        ({"kind": "kubernetes", "secret_store": None, "render_to": None}, PUBLISH, "rfc2136", DataProtection.PROTECT),
        ({"kind": "kubernetes"}, {"external_dns": {}}, "external_dns", DataProtection.PROTECT),
    ],
)
def test_records_are_published_as_the_platform_protects_its_data(
    base: dict[str, Any], platform: dict[str, Any], publish: dict[str, Any], host: str, protection: DataProtection
) -> None:
    put(base, "dns.publish", publish)
    for key, value in platform.items():
        put(base, f"platform.{key}", value)
        if value is None:
            put(base, f"kubernetes.platform.{key}", None)
    plan = judge(base, frozenset({"dns"}), "test", "shop").plan
    assert plan
    dns = plan.dns
    assert dns
    assert dns.publish
    assert (dns.publish.host(), dns.publish.data_protection) == (host, protection)
    assert (dns.platform is not None) is (host == "external_dns")


def test_a_rendered_stack_publishes_nothing_by_itself(base: dict[str, Any]) -> None:
    put(base, "dns.publish", PUBLISH)
    put(base, "platform.kind", "kubernetes")
    verdict = judge(base, frozenset({"dns"}), "test", "shop")
    assert not verdict.problems
    assert verdict.plan
    dns = verdict.plan.dns
    assert dns
    assert dns.publish is None


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_a_policy_of_mta_sts_is_served_with_a_certificate_for_its_host(base: dict[str, Any], kind: str) -> None:
    put(base, "platform.kind", kind)
    put(base, "dns.mail", {"fastmail": {}, "mta_sts": {"mode": "enforce"}})
    put(base, "dns.certificate", {"issuer": "letsencrypt.org"})
    verdict = judge(base, frozenset(), "test", "shop")
    assert not verdict.problems
    assert verdict.plan
    plan = verdict.plan
    assert plan.tls.hostnames == ["shop.example", "mta-sts.shop.example"]
    served, dns = plan.mta_sts, plan.dns
    assert served
    assert dns
    assert (served.hostname, served.policy) == ("mta-sts.shop.example", dns.zone().mta_sts_policy)
    assert served.image == plan.components.images.of(plan.components.of("app")[0])["image"], (
        "no nginx of its own: the application's image has one"
    )
    assert "policy-untrusted" in {one.code for one in verdict.findings()[0]}
    assert dns.zone().get("mta-sts.shop.example", "CNAME")


@pytest.mark.graph
@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_record_of_a_policy_is_written_once_it_is_served(base: dict[str, Any], kind: str) -> None:
    put(base, "platform.kind", kind)
    put(base, "dns.mail", {"fastmail": {}, "mta_sts": {}})
    plan = judge(base, frozenset(), "test", "shop").plan
    assert plan
    made = run_program(lambda: build(plan.components))
    assert made.named("mta-sts", "MtaStsHost")
    assert "mta-sts-route" in made.named("dns-zone").depends_on


def test_a_policy_that_another_host_serves_is_left_to_it(base: dict[str, Any]) -> None:
    put(base, "dns.mail", {"fastmail": {}, "mta_sts": {}})
    put(base, "dns.web", [{"ipv4": ["203.0.113.10"]}, {"host": "mta-sts", "ipv4": ["203.0.113.77"]}])
    put(base, "mta_sts", {"served_here": False})
    plan = judge(base, frozenset(), "test", "shop").plan
    assert plan
    assert plan.tls.hostnames == ["shop.example"]
    assert plan.mta_sts is None


def test_a_place_within_a_list_of_one_platform_is_below_its_key(base: dict[str, Any]) -> None:
    """The engine encrypts below that key, so a secret elsewhere would count as plaintext."""
    put(base, "docker.dns.web", [{"ipv4": ["203.0.113.10"]}, {"ipv4": "203.0.113.11"}])
    assert said(base)[0].startswith("docker.dns.web[1].ipv4 = '203.0.113.11': is a text")
    assert key_of(base, "dns", "web", 1, "ipv4") == ("docker", "dns", "web", 1, "ipv4")
    assert key_of(base, "dns", "web", 2, "ipv4") == ("dns", "web", 2, "ipv4")


def test_a_date_is_a_text(base: dict[str, Any]) -> None:
    """YAML has dates; what the engine hands over, JSON, has none."""
    put(base, "app.environment", {"BUILT": date(2026, 11, 26)})
    assert read(base).app.environment == {"BUILT": "2026-11-26"}


def test_one_error_holds_all_problems(base: dict[str, Any]) -> None:
    base |= {"tier": "x", "zzz": 1}
    with pytest.raises(ArgumentError) as raised:
        read(base)
    assert str(raised.value).splitlines() == [
        "configuration: 2 problems",
        f"  zzz: is not a known key; known keys: {', '.join(sorted(names()))} [unknown-key]",
        "  tier = 'x': is not a choice; write one of `100k`, `1M` [not-a-choice]",
    ]


def test_a_secret_shows_itself_nowhere(base: dict[str, Any]) -> None:
    base["app"]["secrets"] = {"API_KEY": "very-secret"}
    assert "very-secret" not in repr(read(base))
    base["app"]["replicas"] = "x"
    assert not any("very-secret" in line for line in said(base, ["app"]))


ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("stack", "kind"), [("local", "docker"), ("local", "kubernetes"), ("staging", "kubernetes"), ("prod", "kubernetes")]
)
def test_the_configurations_that_are_shipped_are_right(stack: str, kind: str) -> None:
    given = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    config = {key.removeprefix("shop:"): value for key, value in given.items()}
    config["platform"] = {**config["platform"], "kind": kind}
    if kind == "kubernetes":
        config["platform"]["render_to"] = "rendered"
    verdict = judge(config, frozenset(), stack, "shop")
    assert [str(one) for one in verdict.problems] == []
    assert verdict.platform
    assert verdict.platform.name == f"shop-{stack}"
    assert verdict.capacity[0].requests_per_second > 0


def test_every_key_is_explained_and_the_page_is_current() -> None:
    page = markdown()
    unexplained = [row for row in page.splitlines() if row.startswith("| `") and row.endswith("|  |")]
    assert unexplained == []
    again = "python -m tierstack.stack.reference > docs/configuration.md"
    assert (ROOT / "docs" / "configuration.md").read_text() == page, f"out of date; write it again: {again}"


ACCOUNT = {"email": "ops@shop.example"}
ACME = {"acme": ACCOUNT}


@pytest.mark.parametrize(
    ("tls", "dns"),
    [
        (ACME, {"certificate": {"issuer": "letsencrypt.org"}}),
        (ACME, {"certificate": {"issuer": "letsencrypt.org", "validation_method": "http-01"}}),
        (
            {"acme": {**ACCOUNT, "server": "https://ca.example.org/dir", "caa": "ca.example.org"}},
            {"certificate": {"issuer": "ca.example.org"}, "caa": {"issuers": ["ca.example.org"]}},
        ),
    ],
    ids=["Let's Encrypt", "its way of proof", "a CA that is named"],
)
def test_a_ca_that_caa_lets_issue(base: dict[str, Any], tls: dict[str, Any], dns: dict[str, Any]) -> None:
    put(base, "tls", tls)
    base["dns"] |= dns
    assert said(base) == []


def test_a_private_ca_without_a_name_has_no_record(base: dict[str, Any]) -> None:
    private = {"server": "https://ca.internal/dir", "ca": Authority.make("private").certificate}
    put(base, "tls.acme", {**ACCOUNT, **private})
    assert said(base) == []
    put(base, "dns.certificate", {"issuer": "letsencrypt.org"})
    assert said(base) == []


def test_a_key_that_nothing_decrypts_is_not_judged(base: dict[str, Any], tmp_path: Path) -> None:
    pair = Pair.make(["shop.example"])
    (tmp_path / "chain.pem").write_text(pair.chain)
    given = {"certificate_path": str(tmp_path / "chain.pem"), "private_key_pem": "(secret)"}
    put(base, "tls.given", given)
    assert said(base) == []
    put(base, "tls.given.private_key_pem", Pair.make(["shop.example"]).key)
    assert said(base, ["tls"]) == [
        "tls.given.private_key_pem = (hidden): is not the key of the certificate `CN=site`; "
        "give the key that the certificate was asked for with"
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gateway.http_port": 8080}, "the CA looks for HTTP-01 at port 80, and `gateway.http_port` is 8080"),
        ({"gateway.bind_address": "127.0.0.1"}, "the CA looks from outside, and `gateway.bind_address` keeps it out"),
        ({}, ""),
    ],
)
def test_advice_where_no_ca_can_look(base: dict[str, Any], changes: dict[str, Any], line: str) -> None:
    put(base, "tls", ACME)
    put(base, "dns.certificate", {"issuer": "letsencrypt.org"})
    for path, value in changes.items():
        put(base, path, value)
    shown, _ = judge(base, frozenset(), "test", "shop").findings()
    found = [str(one) for one in shown if one.path == "tls"]
    assert [line in one for one in found] == ([True] if line else [])


@pytest.mark.parametrize(
    ("body", "given", "seconds"), [(None, None, 300), (16, None, 300), (128, None, 2048), (128, 60, 60)]
)
@pytest.mark.parametrize(("kind", "section"), [("docker", "gateway"), ("kubernetes", "addons")])
def test_the_proxy_waits_for_the_largest_body(
    base: dict[str, Any], kind: str, section: str, body: int | None, given: int | None, seconds: int
) -> None:
    put(base, "platform.kind", kind)
    put(base, "addons.mode", "install")
    put(base, "app.http.max_body_mb", body)
    put(base, f"{section}.read_timeout_seconds", given)
    plan = judge(base, frozenset(), "test", "shop").plan
    assert plan
    args = plan.gateway if kind == "docker" else plan.addons
    assert args
    assert args.read_timeout_seconds == seconds


def test_what_an_ipv6_client_of_a_docker_host_meets_is_said(base: dict[str, Any]) -> None:
    config = copy.deepcopy(base)
    config["dns"] = {"domain": "shop.example", "web": [{"host": "@", "ipv4": ["192.0.2.1"], "ipv6": ["2001:db8::1"]}]}

    def said(**gateway: Any) -> list[str]:
        found = advice.addresses  # the whole advice needs records of every host
        verdict = judge({**config, "gateway": gateway}, frozenset(), "test", "shop")
        assert verdict.plan
        return [str(one) for one in found(verdict.plan)]

    (listening,) = said()
    assert "dns.web[0].ipv6" in listening
    assert "0.0.0.0" in listening
    (bridged,) = said(bind_address="::")
    assert bridged.startswith("gateway.bind_address: ::")
    assert said(trusted_proxies=["192.0.2.0/24"]) == []


@pytest.mark.parametrize(
    ("command", "single", "told"),
    [
        (["php", "artisan", "schedule:work"], False, True),
        (["php", "artisan", "schedule:work"], True, False),
        (["supercronic", "/srv/crontab"], False, True),
        (["sh", "-c", "while :; do php artisan schedule:run; sleep 60; done"], False, True),
        (["celery", "-A", "shop", "beat"], False, True),
        (["celery", "-A", "shop", "worker"], False, False),
        (["php", "artisan", "schedule:list"], False, False),
        (["php", "bin/worker"], False, False),
    ],
)
def test_a_scheduler_of_which_two_may_run(base: dict[str, Any], command: list[str], single: bool, told: bool) -> None:
    put(base, "app.roles.clock", {"command": command, "single": single})
    said = [one for one in judge(base, frozenset(), "test", "shop").findings()[0] if one.code == "scheduler-twice"]
    assert [one.path for one in said] == (["app.roles.clock.single"] if told else [])


_UNKNOWN = ("cert-manager", "external-secrets")  # addons whose checksum tierstack does not know


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"app.http.max_body_mb": 256}, "must let a client send for 4,096 s, for a body of 256 MiB at 64 KiB/s"),
        ({"app.http.max_body_mb": 16}, None),
        (
            {
                "app.http.max_body_mb": 256,
                "addons": {"mode": "install", "checksums": dict.fromkeys(_UNKNOWN, "0" * 64)},
            },
            None,
        ),
        ({"app.http.max_body_mb": 256, "platform.kind": "docker"}, None),
    ],
)
def test_large_bodies_behind_a_proxy_of_others(base: dict[str, Any], change: dict[str, Any], told: str | None) -> None:
    for path, value in {"platform.kind": "kubernetes", **change}.items():
        put(base, path, value)
    report = judge(base, frozenset(), "test", "shop")
    assert report.problems == []
    assert [one for one in report.notes if "must let a client send" in one and (not told or told in one)] == [
        one for one in report.notes if told and one.startswith("Proxy of the cluster")
    ]


def test_shapes_and_rules_are_told_in_one_round(base: dict[str, Any]) -> None:
    base["app"]["uploads"] = {"path": "/srv/uploads", "storage_gbx": 100}
    base["redis"] = {**base.get("redis", {}), "memory_mb": 1}
    assert said(base) == [
        "app.uploads.storage_gbx: is not a known key; did you mean `storage_gb`?",
        "redis.memory_mb = 1: must be at least 16; write a number from 16 to 65536 MiB",
    ]


def test_a_check_makes_each_argument_object_and_the_zone_once(
    base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(base, "dns.mail", {"fastmail": {}, "mta_sts": {}})
    put(base, "backups", {})
    made: list[type[Any]] = []
    zones: list[Any] = []

    def counted(cls: type[Any], *given: Any) -> Any:
        made.append(cls)
        return load(cls, *given)

    def composed(spec: Any) -> Any:
        zones.append(spec)
        return compose(spec)

    monkeypatch.setattr(wiring, "load", counted)
    monkeypatch.setattr(dns_args, "compose", composed)
    report = judge(base, frozenset(), "test", "shop")
    assert report.problems == []
    assert report.findings()[0]
    report.topology()
    assert sorted(one.__name__ for one in made) == sorted({one.__name__ for one in made})
    assert len(made) == 8
    assert len(zones) == 1
