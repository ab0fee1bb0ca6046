"""The program under test: SHOPS shops of tierstack components in one namespace, rendered into RENDER."""

import os

import tierstack as ts


def image(name: str) -> str:
    return f"registry.example/{name}@sha256:{'0' * 64}"


def shop(number: str, platform: ts.Platform, tier: ts.Tier = ts.Tier.USERS_100K) -> None:
    """A shop of seven components: proxy, certificate, bucket, database, Redis, backups and the application."""
    hostname = f"shop-{number}.example.org"
    tls = ts.TLS(f"tls-{number}", ts.TLSArgs(platform=platform, hostnames=[hostname]))
    gateway = ts.Gateway(f"gateway-{number}", ts.GatewayArgs(platform=platform, certificate=tls.certificate))
    storage = ts.ObjectStorage(
        f"storage-{number}",
        ts.ObjectStorageArgs(
            platform=platform,
            bucket="backups",
            region="eu-central-1",
            access_key_id="from the store",
            secret_access_key="same",
        ),
    )
    database = ts.DatabaseWithReplicas(
        f"db-{number}",
        ts.DatabaseWithReplicasArgs(
            platform=platform,
            tier=tier,
            image=image("postgresql:17.6"),
            pooler_image=image("pgbouncer:1.24"),
            archive=ts.DatabaseArchiveArgs(store=storage.store),
        ),
    )
    redis = ts.RedisCluster(
        f"redis-{number}",
        ts.RedisClusterArgs(
            platform=platform,
            tier=tier,
            image=image("valkey:8.1"),
            proxy_image=image("haproxy:3.0") if tier is ts.Tier.USERS_1M else None,
        ),
    )
    ts.BackupSchedule(f"backups-{number}", ts.BackupScheduleArgs(platform=platform, database=database.connection))
    ts.AppCluster(
        f"web-{number}",
        ts.AppClusterArgs(
            platform=platform,
            tier=tier,
            image=image("shop:1"),
            hostnames=[hostname],
            gateway=gateway.endpoint,
            php=ts.PhpFpmArgs(document_root="/srv/shop/public"),
            roles={
                "worker": ts.RoleArgs(command=["php", "bin/worker.php"]),
                "scheduler": ts.RoleArgs(command=["php", "bin/scheduler.php"], single=True),
            },
            migration=ts.MigrationArgs(command=["php", "bin/migrate.php"]),
            secrets={"APP_KEY": "from the store"},
            uploads=ts.UploadsArgs(path="/srv/uploads"),
            database=database.connection,
            redis=redis.connection,
        ),
    )


def program() -> None:
    platform = ts.Kubernetes(name="bench", render_to=os.environ["RENDER"], secret_store="vault")
    for number in range(int(os.environ["SHOPS"])):
        shop(str(number), platform)


if __name__ == "__main__":
    program()
