"""The stack whose state and registrations each release records (tests/releases.py): all components, by default.

It changes only where an argument changes its name, with the migration in the CHANGELOG, or when a release is recorded.
"""

import os

import pulumi

import tierstack as ts

kind, tier = os.environ["UPGRADE_PLATFORM"], ts.Tier(os.environ["UPGRADE_TIER"])
docker = kind == "docker"
platform: ts.Platform = (
    ts.DockerHost(name="shop") if docker else ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")
)
hostnames = ["shop.example.org"]


def image(name: str) -> str:
    """An image by digest: an id on Docker, a reference elsewhere."""
    digest = "sha256:" + name[0].encode().hex() * 32
    return digest if docker else f"registry.example/{name}@{digest}"


def only_on_docker(name: str) -> str | None:
    return image(name) if docker else None


tls = ts.TLS("tls", ts.TLSArgs(platform=platform, hostnames=hostnames))
gateway = ts.Gateway(
    "gateway",
    ts.GatewayArgs(
        platform=platform,
        certificate=tls.certificate,
        image=only_on_docker("traefik"),
        tools_image=only_on_docker("tools"),
    ),
)
archive = None
if not docker:
    bucket = ts.ObjectStorageArgs(platform=platform, bucket="backups", region="eu-central-1")
    archive = ts.DatabaseArchiveArgs(store=ts.ObjectStorage("storage", bucket).store)
database = ts.DatabaseWithReplicas(
    "db",
    ts.DatabaseWithReplicasArgs(
        platform=platform,
        tier=tier,
        image=image("postgres:17.6"),
        pooler_image=image("pgbouncer"),
        archive=archive,
    ),
)
nodes = 1 if docker else ts.TIERS[tier].redis.nodes
queue = ts.RedisCluster(
    "redis",
    ts.RedisClusterArgs(
        platform=platform,
        tier=tier,
        image=image("valkey"),
        nodes=nodes,
        proxy_image=image("haproxy") if nodes == 3 else None,
    ),
)
ts.BackupSchedule(
    "backups",
    ts.BackupScheduleArgs(platform=platform, database=database.connection, image=only_on_docker("barman")),
)
web = ts.AppCluster(
    "web",
    ts.AppClusterArgs(
        platform=platform,
        tier=tier,
        image=image("shop"),
        hostnames=hostnames,
        gateway=gateway.endpoint,
        php=ts.PhpFpmArgs(document_root="/srv/shop/public"),
        roles={
            "worker": ts.RoleArgs(command=["php", "work.php"]),
            "scheduler": ts.RoleArgs(command=["php", "schedule.php"], single=True),
        },
        migration=ts.MigrationArgs(command=["php", "migrate.php"]),
        uploads=ts.UploadsArgs(path="/srv/uploads"),
        database=database.connection,
        redis=queue.connection,
    ),
)
pulumi.export("url", web.url)
