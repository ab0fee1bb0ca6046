"""Serves the components to Pulumi programs in other languages: `pulumi package add <this directory>`."""

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
from tierstack.core.component_host import component_provider_host

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
