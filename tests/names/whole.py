"""A shop of all components, on any platform and tier, with every optional part."""

from dataclasses import replace
from typing import Any

import tierstack as ts
from tierstack.dns_records import BrevoArgs, MailArgs, WebHostArgs

PLATFORMS: dict[str, ts.Platform] = {
    "docker": ts.DockerHost(name="shop"),
    "kubernetes": ts.Kubernetes(name="shop"),
    "rendered": ts.Kubernetes(name="shop", render_to="out", secret_store="vault"),
}


def image(platform: ts.Platform, name: str) -> str:
    """An image by digest: an id on Docker, a reference elsewhere."""
    digest = "sha256:" + name[0].encode().hex() * 32
    return digest if platform.kind is ts.PlatformKind.DOCKER else f"registry.example/{name}@{digest}"


def _store(platform: ts.Platform) -> dict[str, Any]:
    """A self-hosted store where there can be one."""
    if platform.kind is not ts.PlatformKind.DOCKER:
        return {"region": "eu-central-1", "access_key_id": "key", "secret_access_key": "hunter2"}
    return {
        "self_hosted": True,
        "image": image(platform, "versitygw"),
        "probe_image": image(platform, "barman"),
        "versioning": True,
        "lock_days": 7,
    }


def shop(platform: ts.Platform, tier: ts.Tier, **app: Any) -> dict[str, Any]:
    """All components, by name. `app` changes arguments of the AppCluster."""
    docker = platform.kind is ts.PlatformKind.DOCKER
    hostnames = ["shop.example.org"]
    tls = ts.TLS("tls", ts.TLSArgs(platform=platform, hostnames=hostnames))
    front = ts.GatewayArgs(platform=platform, certificate=tls.certificate)
    if docker:
        front = replace(front, image=image(platform, "traefik"), tools_image=image(platform, "tools"))
    gateway = ts.Gateway("gateway", front)
    storage = ts.ObjectStorage(
        "storage",
        ts.ObjectStorageArgs(
            platform=platform,
            bucket="backups",
            **_store(platform),
        ),
    )
    database = ts.DatabaseWithReplicas(
        "db",
        ts.DatabaseWithReplicasArgs(
            platform=platform,
            tier=tier,
            image=image(platform, "postgres:17.6"),
            pooler_image=image(platform, "pgbouncer"),
            archive=None if docker else ts.DatabaseArchiveArgs(store=storage.store),
            read_poolers=0 if docker or tier is ts.Tier.USERS_100K else 1,
        ),
    )
    nodes = ts.TIERS[tier].redis.nodes
    redis = ts.RedisCluster(
        "redis",
        ts.RedisClusterArgs(
            platform=platform,
            tier=tier,
            image=image(platform, "valkey"),
            nodes=1 if docker else None,
            proxy_image=None if docker or nodes == 1 else image(platform, "haproxy"),
        ),
    )
    backups = ts.BackupSchedule(
        "backups",
        ts.BackupScheduleArgs(
            platform=platform,
            database=database.connection,
            image=image(platform, "barman") if docker else None,
            store=storage.store if docker else None,
        ),
    )
    if docker:
        ts.DatabaseDumps(
            "dumps",
            ts.DatabaseDumpsArgs(
                platform=platform,
                database=database.connection,
                image=image(platform, "postgres-dump"),
                store=storage.store,
            ),
        )
    settings = {
        "platform": platform,
        "tier": tier,
        "image": image(platform, "shop"),
        "hostnames": hostnames,
        "gateway": gateway.endpoint,
        "php": ts.PhpFpmArgs(document_root="/srv/shop/public"),
        "roles": {
            "worker": ts.RoleArgs(command=["php", "work.php"]),
            "scheduler": ts.RoleArgs(command=["php", "schedule.php"], single=True),
        },
        "migration": ts.MigrationArgs(command=["php", "migrate.php"]),
        "secrets": {"APP_KEY": "hunter2"},
        "uploads": ts.UploadsArgs(path="/srv/uploads"),
        "database": database.connection,
        "redis": redis.connection,
    }
    web = ts.AppCluster("web", ts.AppClusterArgs(**{**settings, **app}))
    if docker:
        ts.FileBackups(
            "files",
            ts.FileBackupsArgs(
                platform=platform, files=web.uploads, image=image(platform, "restic"), store=storage.store
            ),
        )
    policy = ts.MtaStsHost(
        "mta-sts",
        ts.MtaStsHostArgs(
            platform=platform,
            gateway=gateway.endpoint,
            domain="example.org",
            policy="version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n",
            image=image(platform, "shop"),
        ),
    )
    dns = ts.DNSRecords(
        "dns",
        ts.DNSRecordsArgs(
            domain="example.org",
            web=[WebHostArgs(host="shop", ipv4=["198.51.100.1"])],
            mail=MailArgs(brevo=BrevoArgs()),
            zone_file_path="example.org.zone",
        ),
    )
    return {
        "tls": tls,
        "gateway": gateway,
        "storage": storage,
        "db": database,
        "redis": redis,
        "backups": backups,
        "web": web,
        "dns": dns,
        "mta-sts": policy,
    }
