"""Two applications behind one gateway: a shop and its back office, with a database each and one certificate."""

import pulumi

import tierstack as ts

image = pulumi.Config("image").require  # pulumi config set image:app registry.example/shop@sha256:…
cluster = ts.Kubernetes(name="company", render_to="rendered", secret_store="vault")
tier = ts.Tier.USERS_100K
names = {"shop": "shop.example", "office": "office.shop.example"}

tls = ts.TLS("tls", ts.TLSArgs(platform=cluster, hostnames=[*names.values()]))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=cluster, certificate=tls.certificate))


def application(name: str) -> ts.AppCluster:
    """An application of this company, with a database of its own."""
    database = ts.DatabaseWithReplicas(
        f"{name}-db", ts.DatabaseWithReplicasArgs(platform=cluster, tier=tier, image=image("postgres"))
    )
    return ts.AppCluster(
        name,
        ts.AppClusterArgs(
            platform=cluster,
            tier=tier,
            image=image("app"),
            hostnames=[names[name]],
            php=ts.PhpFpmArgs(document_root="/srv/shop/public"),
            gateway=gateway.endpoint,
            database=database.connection,
        ),
    )


for name in names:
    pulumi.export(name, application(name).url)
