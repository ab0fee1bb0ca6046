"""An application that serves HTTP itself: Laravel Octane here; FrankenPHP, Node.js or Go are the same.

The server has one port for work and another for its health, so that a busy server is not taken for a dead one.
"""

import pulumi

import tierstack as ts

image = pulumi.Config("image").require  # pulumi config set image:app registry.example/shop@sha256:…
cluster = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")

tls = ts.TLS("tls", ts.TLSArgs(platform=cluster, hostnames=["shop.example"]))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=cluster, certificate=tls.certificate))
app = ts.AppCluster(
    "web",
    ts.AppClusterArgs(
        platform=cluster,
        tier=ts.Tier.USERS_100K,
        image=image("app"),
        hostnames=["shop.example"],
        http_server=ts.HttpServerArgs(
            command=["php", "artisan", "octane:start", "--server=roadrunner", "--host=0.0.0.0", "--port=8080"],
            memory_mb=1024,
            concurrency=24,  # workers of Octane
        ),
        health=ts.HealthArgs(port=2114, path="/health"),  # RoadRunner's status plugin
        writable_paths=["/srv/shop/storage/framework"],
        gateway=gateway.endpoint,
    ),
)
pulumi.export("url", app.url)
