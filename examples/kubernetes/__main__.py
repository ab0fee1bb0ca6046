"""The stack of examples/compose on Kubernetes: another platform, images of the cluster's own, backups in a bucket."""

import pulumi

import tierstack as ts

image = pulumi.Config("image").require  # pulumi config set image:app registry.example/shop@sha256:…
shop = ["shop.example"]
cluster = ts.Kubernetes(name="shop", render_to="rendered", secret_store="vault")
tier = ts.Tier.USERS_100K

tls = ts.TLS("tls", ts.TLSArgs(platform=cluster, hostnames=shop))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=cluster, certificate=tls.certificate,
                     http_port=8000, https_port=8443))  # fmt: skip
storage = ts.ObjectStorage("storage", ts.ObjectStorageArgs(platform=cluster, bucket="shop-backups",
                           region="eu-central-1"))  # fmt: skip
database = ts.DatabaseWithReplicas("db", ts.DatabaseWithReplicasArgs(platform=cluster, tier=tier,
                                   image=image("postgres"),
                                   archive=ts.DatabaseArchiveArgs(store=storage.store)))  # fmt: skip
redis = ts.RedisCluster("redis", ts.RedisClusterArgs(platform=cluster, tier=tier, image=image("valkey")))
app = ts.AppCluster("web", ts.AppClusterArgs(platform=cluster, tier=tier, image=image("app"), hostnames=shop,
                    php=ts.PhpFpmArgs(document_root="/srv/shop/public", command=["php-fpm8.4"]),
                    roles={"worker": ts.RoleArgs(command=["php", "/srv/shop/bin/worker"])},
                    migration=ts.MigrationArgs(command=["php", "/srv/shop/bin/migrate"]),
                    gateway=gateway.endpoint, database=database.connection, redis=redis.connection))  # fmt: skip
ts.BackupSchedule("backups", ts.BackupScheduleArgs(platform=cluster, database=database.connection))
ts.DNSRecords("dns", ts.DNSRecordsArgs(domain="shop.example", web=[ts.WebHostArgs(ipv4=["203.0.113.10"])]))
pulumi.export("url", app.url)
