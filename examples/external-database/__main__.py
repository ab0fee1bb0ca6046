"""An application with a database that somebody else runs, such as a managed PostgreSQL.

The Secrets `orders-db` (key `password`) and `orders-db-ca` (key `ca.crt`) are in the namespace already.
"""

import pulumi

import tierstack as ts
from tierstack.links import TrustedCA

image = pulumi.Config("image").require  # pulumi config set image:app registry.example/shop@sha256:…
cluster = ts.Kubernetes(name="shop", render_to="rendered")

tls = ts.TLS("tls", ts.TLSArgs(platform=cluster, hostnames=["shop.example"]))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=cluster, certificate=tls.certificate))
database = ts.DatabaseConnection(
    engine=ts.DatabaseEngine.POSTGRESQL.value,
    environment={
        "DB_CONNECTION": "pgsql",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/run/tierstack/ca/database/ca.crt",  # where `ca` is mounted
    },
    host="pooler.db.example",
    port="6432",
    direct_host="primary.db.example",
    direct_port="5432",
    database="orders",
    user="orders",
    password=ts.SecretRef(secret_name="orders-db", key="password"),
    ca=TrustedCA(secret_name="orders-db-ca"),
)
app = ts.AppCluster(
    "web",
    ts.AppClusterArgs(
        platform=cluster,
        tier=ts.Tier.USERS_100K,
        image=image("app"),
        hostnames=["shop.example"],
        php=ts.PhpFpmArgs(document_root="/srv/shop/public"),
        migration=ts.MigrationArgs(command=["php", "artisan", "migrate", "--force"]),
        gateway=gateway.endpoint,
        database=database,
        outbound=ts.OutboundArgs(networks=[ts.OutboundNetwork(cidr="10.20.0.0/24", ports=[5432, 6432])]),
    ),
)
pulumi.export("url", app.url)
