"""No acknowledged order is lost or done twice: not when processes are killed, not when Redis forgets."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.shop.stand import Site, Stand
from tests.waiting import until

pytestmark = pytest.mark.docker


def key() -> str:
    return secrets.token_hex(8)


def placed(site: Site, sku: str = "tea") -> str:
    answer = site.order(key(), sku)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def in_hand(site: Site) -> bool:
    return site.metrics()['shop_queue_length{state="processing"}'] == 1


def test_an_order_is_processed(fresh: Stand, site: Site) -> None:
    order = placed(site, "coffee")
    assert site.status(order) == "pending"
    worker = fresh.worker()
    until("the order to be processed", lambda: site.status(order) == "processed")
    assert site.get(f"/api/orders/{order}").json()["processed_by"].startswith("worker-")
    until("the count", lambda: site.metrics()["shop_jobs_processed_total"] == 1)
    assert worker.exec_run(["php", "bin/healthcheck", "worker"]).exit_code == 0
    assert worker.exec_run(["php", "bin/healthcheck", "scheduler"]).exit_code == 1


def test_the_same_key_gives_the_same_order(fresh: Stand, site: Site) -> None:
    name = key()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.order(name, "cup", 2), range(24)))
    assert sorted(answer.status_code for answer in answers) == [200] * 23 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert {answer.json()["total_cents"] for answer in answers} == {1900}
    assert fresh.sql("SELECT count(*) FROM orders") == "1"
    assert fresh.redis("LLEN", "shop:queue:ready") == "1"
    assert site.order(name, "cup", 3).status_code == 422


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"sku": "tea"}, {}, 400),
        ({"sku": "nothing"}, {"Idempotency-Key": "a"}, 422),
        ({"sku": "tea", "quantity": 0}, {"Idempotency-Key": "a"}, 422),
        ({"sku": "tea", "quantity": "1"}, {"Idempotency-Key": "a"}, 422),
        ([], {"Idempotency-Key": "a"}, 422),
    ],
)
def test_a_bad_order_is_refused(fresh: Stand, site: Site, body: object, headers: dict[str, str], status: int) -> None:
    assert site.post("/api/orders", json=body, headers=headers).status_code == status
    assert fresh.sql("SELECT count(*) FROM orders") == "0"


def test_sigterm_finishes_the_job_in_hand(fresh: Stand, site: Site) -> None:
    worker = fresh.worker(JOB_MS="1500")
    first, second = placed(site), placed(site)
    until("the worker to have a job in hand", lambda: in_hand(site))
    worker.stop(timeout=20)
    assert worker.wait()["StatusCode"] == 0
    assert (site.status(first), site.status(second)) == ("processed", "pending")
    fresh.worker("next")
    until("the next worker to do the rest", lambda: site.status(second) == "processed")
    until("both to be counted", lambda: site.metrics()["shop_jobs_processed_total"] == 2)


def test_a_killed_worker_loses_nothing(fresh: Stand, site: Site) -> None:
    worker = fresh.worker(JOB_MS="20000")
    order = placed(site)
    until("the worker to have a job in hand", lambda: in_hand(site))
    worker.kill()
    assert site.status(order) == "pending"
    assert in_hand(site)
    # The sign of life would expire after 30 s: make it expire now.
    for name in fresh.redis("KEYS", "shop:queue:worker:*").split():
        fresh.redis("DEL", name)
    fresh.scheduler()
    fresh.worker("next")
    until("the job to be put back and done", lambda: site.status(order) == "processed")
    assert site.metrics()["shop_jobs_recovered_total"] == 1


def test_a_restarted_worker_takes_up_what_it_left(fresh: Stand, site: Site) -> None:
    worker = fresh.worker(JOB_MS="2000")
    order = placed(site)
    until("the worker to have a job in hand", lambda: in_hand(site))
    worker.kill()
    worker.start()
    until("the order to be processed", lambda: site.status(order) == "processed")


def test_redis_forgetting_everything_loses_nothing(fresh: Stand, site: Site) -> None:
    orders = [placed(site) for _ in range(5)]
    until("all to be queued", lambda: fresh.redis("LLEN", "shop:queue:ready") == "5")
    fresh.redis("FLUSHALL")
    fresh.scheduler(REQUEUE_SECONDS="1")
    fresh.worker()
    until("all to be processed", lambda: {site.status(order) for order in orders} == {"processed"})
    assert site.metrics()["shop_orders_requeued_total"] >= 5


def test_orders_are_taken_while_redis_is_away(fresh: Stand, site: Site) -> None:
    fresh.valkey.stop(timeout=5)
    try:
        order = placed(site)
        assert site.get("/api/health").status_code == 503
        assert site.get("/health").status_code == 200
        assert site.metrics()["shop_redis_up"] == 0
    finally:
        fresh.valkey.start()
    until("Redis to be back", lambda: site.get("/api/health").status_code == 200)
    fresh.scheduler()
    fresh.worker()
    until("the order to be queued by the scheduler and processed", lambda: site.status(order) == "processed")


def test_an_order_that_waits_is_not_queued_twice(fresh: Stand, site: Site) -> None:
    placed(site)
    first = until("the order to be queued", lambda: fresh.sql("SELECT queued_at FROM orders") or None)
    fresh.scheduler(REQUEUE_SECONDS="1")
    until("the scheduler to look at it again", lambda: fresh.sql("SELECT queued_at FROM orders") != first)
    assert fresh.redis("LLEN", "shop:queue:ready") == "1"
    assert site.metrics()["shop_orders_requeued_total"] == 0


def test_an_order_is_refused_while_the_database_is_away(fresh: Stand, site: Site) -> None:
    name = key()
    fresh.pooler.stop(timeout=5)
    try:
        refused = site.order(name)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert site.get("/api/health").json()["checks"]["redis"]["status"] == "ok"
    finally:
        fresh.pooler.start()
    until("the pooler to be back", lambda: site.order(name).status_code == 201)
    assert fresh.sql("SELECT count(*) FROM orders") == "1"


def test_a_silent_database_leaves_children_for_the_rest(fresh: Stand, site: Site) -> None:
    """Nobody refuses: connections stay, and no answer comes. Three times as many orders as PHP-FPM has children."""
    fresh.pooler.kill("SIGSTOP")
    try:
        with ThreadPoolExecutor(24) as customers:
            orders = [customers.submit(site.order, key()) for _ in range(24)]
            assert [requests.get(f"{site.address}/", timeout=12).status_code for _ in range(50)] == [200] * 50
            # Half of what one order waits for the database: checks do not.
            assert requests.get(f"{site.address}/api/monitoring/health", timeout=7).status_code == 503
            until("orders to be refused without a wait", lambda: sum(one.done() for one in orders) >= 8)
            assert {one.result().status_code for one in orders if one.done()} == {503}
            fresh.pooler.kill("SIGCONT")
            assert {one.result().status_code for one in orders} <= {201, 503}
    finally:
        fresh.pooler.kill("SIGCONT")
    until("the database to be back", lambda: site.get("/api/health").status_code == 200)


def test_a_pooler_that_restarts_is_survived(fresh: Stand, site: Site) -> None:
    fresh.worker()
    before = placed(site)
    until("the first order", lambda: site.status(before) == "processed")
    fresh.pooler.restart(timeout=5)
    until("the pooler to be back", lambda: site.get("/api/health").status_code == 200)
    orders = [placed(site) for _ in range(20)]  # every PHP-FPM child held a connection that is now dead
    until("all to be processed", lambda: {site.status(order) for order in orders} == {"processed"})


def test_connections_cut_in_the_middle_are_survived(fresh: Stand, site: Site) -> None:
    """What a failover looks like from here: statements that fail and must be sent again."""
    fresh.worker()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(site.order, key()) for _ in range(400)]
        others = "pg_stat_activity WHERE usename = 'shop' AND pid <> pg_backend_pid()"
        while sum(answer.done() for answer in answers) < 350:
            fresh.sql(f"SELECT count(pg_terminate_backend(pid)) FROM {others}")
    assert {answer.result().status_code for answer in answers} == {201}
    orders = {answer.result().json()["id"] for answer in answers}
    assert len(orders) == 400
    until(
        "all to be processed",
        lambda: fresh.sql("SELECT count(*) FROM orders WHERE status = 'processed'") == "400",
    )


def test_a_job_that_always_fails_is_given_up_and_counted(fresh: Stand, site: Site) -> None:
    order = placed(site, "faulty")
    fresh.worker()
    until("the order to fail", lambda: site.status(order) == "failed")
    until("the count", lambda: site.metrics()["shop_jobs_failed_total"] == 1)
    assert site.metrics()['shop_queue_length{state="dead"}'] == 1


def test_only_one_scheduler_works_and_another_takes_over(fresh: Stand, site: Site) -> None:
    first = fresh.scheduler("first")
    holder = until("a holder of the lock", lambda: fresh.redis("GET", "shop:scheduler:lock") or None)
    second = fresh.scheduler("second")
    until("a sign of life", lambda: second.exec_run(["php", "bin/healthcheck", "scheduler"]).exit_code == 0)
    assert fresh.redis("GET", "shop:scheduler:lock") == holder
    first.stop(timeout=10)
    assert first.wait()["StatusCode"] == 0
    until("the second to hold it", lambda: fresh.redis("GET", "shop:scheduler:lock") not in ("", holder))
