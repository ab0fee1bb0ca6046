"""A queue and a cache: two Redis with opposite promises, both given to one application.

The queue keeps every write and refuses new ones when its memory is full. The cache writes nothing to disk and drops
what was least recently used. The application reads REDIS_HOST and REDIS_CACHE_HOST.
"""

import pulumi

import tierstack as ts

image = pulumi.Config("image").require  # pulumi config set image:app registry.example/shop@sha256:…
cluster = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")

tls = ts.TLS("tls", ts.TLSArgs(platform=cluster, hostnames=["shop.example"]))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=cluster, certificate=tls.certificate))
queue, cache = (
    ts.RedisCluster(purpose.value, ts.RedisClusterArgs(platform=cluster, image=image("valkey"), purpose=purpose))
    for purpose in (ts.RedisPurpose.QUEUE, ts.RedisPurpose.CACHE)
)
app = ts.AppCluster(
    "web",
    ts.AppClusterArgs(
        platform=cluster,
        tier=ts.Tier.USERS_100K,
        image=image("app"),
        hostnames=["shop.example"],
        php=ts.PhpFpmArgs(document_root="/srv/shop/public"),
        roles={"worker": ts.RoleArgs(command=["php", "artisan", "queue:work"])},
        gateway=gateway.endpoint,
        redis=queue.connection,
        more_redis={"cache": cache.connection},
    ),
)
pulumi.export("url", app.url)
