"""Health, metrics, trouble on purpose, uploads and login over HTTP."""

import json
import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.shop.conftest import MailRelay
from tests.shop.stand import Site, Stand, checksum
from tests.waiting import until

pytestmark = pytest.mark.docker

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000000020001e221bc330000000049454e44ae426082"
)


def test_version_and_host_are_in_every_answer(stand: Stand, site: Site) -> None:
    two = stand.web("two", version="2")
    for replica, version, host in ((site, "1", "web"), (two, "2", "two")):
        for path in ("/", "/health", "/nothing"):
            headers = replica.get(path).headers
            assert (headers["X-App-Version"], headers["X-App-Host"]) == (version, host)
    stand.remove(two.container)


def test_health_checks_database_and_redis(site: Site) -> None:
    body = site.get("/api/health").json()
    assert body["status"] == "ok"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "database": "ok",
        "redis": "ok",
    }


def test_without_configuration_it_lives_and_says_what_is_missing(fresh: Stand) -> None:
    site = fresh.web("bare", DB_HOST="", REDIS_HOST="")
    assert site.get("/").status_code == 200
    answer = site.get("/api/health")
    assert answer.status_code == 503
    assert "DB_HOST is not set" in answer.json()["checks"]["database"]["error"]
    assert "REDIS_HOST is not set" in answer.json()["checks"]["redis"]["error"]


def test_metrics_count_what_happened(fresh: Stand) -> None:
    site = fresh.web("counted")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: site.get("/"), range(200)))
    for _ in range(3):
        site.get("/api/orders/none")
    site.get("/nothing/here")
    series = site.metrics()
    assert series['shop_http_requests_total{method="GET",route="/",status="200"}'] == 200
    assert series['shop_http_requests_total{method="GET",route="/api/orders/{id}",status="404"}'] == 3
    assert series['shop_http_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    assert series['shop_http_request_duration_seconds_bucket{route="/",le="+Inf"}'] == 200
    assert series['shop_http_request_duration_seconds_count{route="/"}'] == 200
    assert series['shop_build_info{version="1",host="counted"}'] == 1
    performance = site.get("/api/monitoring/performance").json()
    assert performance["routes"]["/"]["count"] == 200
    row = performance["routes"]["/"]
    assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    assert performance["opcache"]["scripts"] > 5


def test_queue_age_grows_while_nobody_works(fresh: Stand, site: Site) -> None:
    site.order(secrets.token_hex(8))
    first = until("an age", lambda: site.metrics()["shop_queue_oldest_job_age_seconds"] or None)
    until("a greater age", lambda: site.metrics()["shop_queue_oldest_job_age_seconds"] > first)
    assert site.metrics()['shop_queue_length{state="ready"}'] == 1


def test_chaos_fails_exactly_the_asked_share(fresh: Stand, site: Site) -> None:
    assert site.chaos(error_rate=0.25).status_code == 200
    statuses = [site.get("/").status_code for _ in range(400)]
    assert 99 <= statuses.count(500) <= 101
    assert site.get("/api/health").status_code == 200
    assert site.chaos(error_rate=0).status_code == 200
    assert {site.get("/").status_code for _ in range(50)} == {200}


def test_chaos_can_be_for_one_version_and_slow(fresh: Stand, site: Site) -> None:
    two = fresh.web("two", version="2")
    assert site.chaos(error_rate=1, latency_ms=300, version="2").status_code == 200
    until("version 2 to fail", lambda: two.get("/").status_code == 500)
    assert two.get("/").elapsed.total_seconds() >= 0.3
    assert {site.get("/").status_code for _ in range(20)} == {200}
    assert two.get("/api/chaos", headers=two.chaos_header).json()["error_rate"] == 1


def test_chaos_by_environment(fresh: Stand) -> None:
    broken = fresh.web("broken", CHAOS_ERROR_RATE="0.5")
    statuses = [broken.get("/").status_code for _ in range(100)]
    assert statuses.count(500) == 50


def test_chaos_wants_its_token(site: Site) -> None:
    assert site.post("/api/chaos", json={"error_rate": 1}).status_code == 401
    assert site.post("/api/chaos", json={"error_rate": 1}, headers={"Authorization": "Bearer x"}).status_code == 401
    assert site.chaos(error_rate=2).status_code == 422
    assert site.chaos(latency_ms=-1).status_code == 422


def test_an_upload_comes_back_from_another_replica(fresh: Stand, site: Site) -> None:
    answer = site.post("/api/uploads", files={"file": ("picture.jpg", PNG)})
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"name": f"{checksum(PNG)}.png", "bytes": len(PNG), "type": "image/png"}
    raw = site.post("/api/uploads", data=PNG, headers={"Content-Type": "application/octet-stream"})
    assert raw.json() == answer.json()
    other = fresh.web("other")
    picture = other.get(answer.headers["Location"])
    assert (picture.content, picture.headers["Content-Type"]) == (PNG, "image/png")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"<?php echo 1;", 415),
        (b"\x7fELF\x02\x01\x01" + bytes(64), 415),
        (b"a" * (5 * 1024 * 1024 + 1), 413),
    ],
)
def test_a_bad_upload_is_refused(site: Site, content: bytes, status: int) -> None:
    answer = site.post("/api/uploads", data=content, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == status, answer.text
    listing = site.container.exec_run(["find", "/srv/uploads", "-name", ".partial*"]).output
    assert listing == b""


@pytest.mark.parametrize(
    "path", ["/uploads/..%2f..%2fetc%2fpasswd", "/uploads/" + "0" * 64 + ".png", "/uploads/.partial-x"]
)
def test_only_uploads_are_served(site: Site, path: str) -> None:
    assert site.get(path).status_code in (400, 404)  # nginx refuses a climb out of the root with 400


def test_login_by_a_mailed_code(fresh: Stand, relay: MailRelay) -> None:
    site = fresh.web("mailing", MAIL_HOST=relay.address, MAIL_PORT=str(relay.port))
    assert site.post("/api/login/otp", json={"email": "buyer@example.test"}).status_code == 202
    mail = until("the mail", lambda: relay.mails[0] if relay.mails else None)
    found = re.search(r"code is (\d{6})", mail)
    assert found
    assert found[1] not in fresh.redis("--scan") + fresh.redis("HGETALL", fresh.redis("KEYS", "shop:otp:*"))
    login = {"email": "buyer@example.test", "code": found[1]}
    wrong = login | {"code": f"{(int(found[1]) + 1) % 1_000_000:06d}"}
    assert site.post("/api/login", json=wrong).status_code == 401
    assert site.post("/api/login", json=login).status_code == 200
    assert site.post("/api/login", json=login).status_code == 401, "a code is good once"
    series = site.metrics()
    assert series["shop_otp_failures_total"] == 2
    assert (series["shop_mails_sent_total"], series["shop_mail_failures_total"]) == (1, 0)


def test_a_code_cannot_be_guessed_by_trying(fresh: Stand, relay: MailRelay) -> None:
    site = fresh.web("mailing", MAIL_HOST=relay.address, MAIL_PORT=str(relay.port))
    site.post("/api/login/otp", json={"email": "buyer@example.test"})
    mail = until("the mail", lambda: relay.mails[0] if relay.mails else None)
    code = re.findall(r"\d{6}", mail)[-1]
    for _ in range(5):
        site.post("/api/login", json={"email": "buyer@example.test", "code": "000000" if code != "000000" else "1"})
    assert site.post("/api/login", json={"email": "buyer@example.test", "code": code}).status_code == 401


def test_a_relay_that_is_away_is_counted(fresh: Stand) -> None:
    site = fresh.web("unmailed", MAIL_HOST="postgres", MAIL_PORT="1")
    assert site.post("/api/login/otp", json={"email": "buyer@example.test"}).status_code == 503
    assert site.metrics()["shop_mail_failures_total"] == 1


def test_no_secret_is_visible_from_outside(stand: Stand, site: Site) -> None:
    seen = json.dumps(site.container.attrs) + json.dumps(site.container.top()) + site.container.logs().decode()
    for name, value in stand.secret.items():
        assert value not in seen, name


def test_redis_is_found_through_sentinel(fresh: Stand) -> None:
    password = fresh.secret["REDIS_PASSWORD"]
    conf = (
        "port 26379\ndir /tmp\nsentinel resolve-hostnames yes\n"
        f"sentinel monitor shop valkey 6379 1\nsentinel auth-pass shop {password}\n"
    )
    # Sentinel rewrites its configuration, so it needs one it owns.
    start = "cp /srv/sentinel.conf /tmp/sentinel.conf && chmod u+w /tmp/sentinel.conf && exec valkey-sentinel /tmp/sentinel.conf"
    sentinel = fresh.start("sentinel", "valkey:8.1", ["sh", "-c", start], {"/srv/sentinel.conf": conf})
    ask = ["valkey-cli", "-p", "26379", "sentinel", "get-master-addr-by-name", "shop"]
    until("Sentinel to know the primary", lambda: b"6379" in sentinel.exec_run(ask).output)
    site = fresh.web(
        "found", REDIS_HOST="", REDIS_SENTINELS="absent:26379,sentinel:26379", REDIS_SENTINEL_SERVICE="shop"
    )
    checks = site.get("/api/health").json()["checks"]
    assert checks["redis"]["status"] == "ok", site.container.logs().decode()
