"""Three nodes whose clients speak TLS: failover as without, and a renewed certificate that the nodes notice themselves."""

from collections.abc import Callable, Iterator

import pytest

from tests.redis_cluster.docker.stand import Client, Stand, TLSClient, Writer, authority, stand
from tests.redis_cluster.docker.test_failover import settled
from tests.waiting import until
from tierstack.platform.internal_ca import TLSMode


@pytest.fixture
def cluster() -> Iterator[Stand]:
    with stand(TLSMode.REQUIRE) as made:
        made.start_all()
        settled(made, "the first start")
        yield made


def certificate(client: Client) -> object:
    assert isinstance(client, TLSClient)
    return client.encrypted.getpeercert()


def test_clients_follow_the_primary_and_never_speak_in_clear(
    cluster: Stand, record_property: Callable[[str, object], None]
) -> None:
    with pytest.raises(ConnectionRefusedError):
        Client(cluster.address("proxy"))
    writer = Writer(cluster.address("proxy"), cluster.client)
    writer.write(lambda: len(writer.acknowledged) >= 100, "writes before")
    (before,) = cluster.primaries()
    cluster.containers[f"redis-node-{before}"].kill()
    enough = len(writer.acknowledged) + 100
    writer.write(
        lambda: len(writer.acknowledged) >= enough and cluster.primaries() not in ([], [before]), "writes after"
    )
    pause = writer.longest_pause()
    print(f"\nprimary killed, clients by TLS: {pause:.1f} s without writes, of {len(writer.acknowledged)}")
    record_property("primary killed, clients by TLS: seconds without writes", round(pause, 2))
    assert writer.lost(cluster.client()) == []


def test_a_renewed_certificate_is_noticed_by_the_health_check(cluster: Stand) -> None:
    staying = cluster.client()
    shown = certificate(staying)
    cluster.certificates = authority()
    for index in range(3):
        cluster.renew(index)
        assert cluster.healthy(f"redis-node-{index}")

    def new() -> bool:
        client = cluster.client()
        try:
            return certificate(client) != shown
        finally:
            client.close()

    until("another certificate", new)
    assert staying("PING") == "PONG"
    staying.close()
