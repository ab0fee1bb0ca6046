"""Serves the components to Pulumi programs in other languages: `pulumi package add <this directory>`."""

from pulumi.provider.experimental import component_provider_host

from tierstack import (
    TLS,
    AppCluster,
    BackupSchedule,
    ClusterAddons,
    DatabaseWithReplicas,
    DNSRecords,
    Gateway,
    MtaStsHost,
    RedisCluster,
)

if __name__ == "__main__":
    component_provider_host(
        name="tierstack",
        components=[
            AppCluster,
            BackupSchedule,
            ClusterAddons,
            DatabaseWithReplicas,
            DNSRecords,
            Gateway,
            MtaStsHost,
            RedisCluster,
            TLS,
        ],
    )
