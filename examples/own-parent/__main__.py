"""A component of your own around those of tierstack: what it is given, its children are given.

`protect` and `providers` of the parent reach every object. The queue was the stack's own child before it moved into the
component, and was called `redis`: an alias and `physical_name` keep its objects and their data.
"""

import pulumi
import pulumi_kubernetes as kubernetes

import tierstack as ts

image = pulumi.Config("image").require  # pulumi config set image:valkey valkey/valkey@sha256:…


class DataTier(pulumi.ComponentResource):
    """What keeps data, for one team."""

    database: ts.DatabaseWithReplicas
    queue: ts.RedisCluster

    def __init__(self, name: str, platform: ts.Platform, opts: pulumi.ResourceOptions | None = None) -> None:
        """`platform`: where the team's data is."""
        super().__init__("company:index:DataTier", name, {}, opts)
        self.database = ts.DatabaseWithReplicas(
            f"{name}-db",
            ts.DatabaseWithReplicasArgs(platform=platform, tier=ts.Tier.USERS_100K, image=image("postgres")),
            pulumi.ResourceOptions(parent=self),
        )
        before = pulumi.Alias(name="redis", parent=pulumi.ROOT_STACK_RESOURCE)
        self.queue = ts.RedisCluster(
            f"{name}-queue",
            ts.RedisClusterArgs(platform=platform, image=image("valkey"), physical_name="redis"),
            pulumi.ResourceOptions(parent=self, aliases=[before]),
        )
        self.register_outputs({})


kubeconfig = pulumi.Config("cluster").require_secret("kubeconfig")  # or that of a cluster which this program makes
own = kubernetes.Provider("own", kubeconfig=kubeconfig)
options = pulumi.ResourceOptions(providers=[own], protect=True)
data = DataTier("orders", ts.Kubernetes(name="orders"), options)
pulumi.export("host", data.database.connection.host)
