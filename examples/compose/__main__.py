"""A stack of your own from the components, on one Docker host. The same on Kubernetes: examples/kubernetes."""

import pulumi

import tierstack as ts

image = pulumi.Config("image").require  # pulumi config set image:app registry.example/shop@sha256:…
shop = ["shop.localhost"]
host = ts.DockerHost(name="compose")
tier = ts.Tier.USERS_100K

tls = ts.TLS("tls", ts.TLSArgs(platform=host, hostnames=shop))
gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=host, certificate=tls.certificate, image=image("traefik"),
                     tools_image=image("valkey"), http_port=8080, https_port=8443))  # fmt: skip
database = ts.DatabaseWithReplicas("db", ts.DatabaseWithReplicasArgs(platform=host, tier=tier,
                                   image=image("postgres"), pooler_image=image("pgbouncer")))  # fmt: skip
redis = ts.RedisCluster("redis", ts.RedisClusterArgs(platform=host, tier=tier, image=image("valkey")))
app = ts.AppCluster("web", ts.AppClusterArgs(platform=host, tier=tier, image=image("app"), hostnames=shop,
                    php=ts.PhpFpmArgs(document_root="/srv/shop/public", command=["php-fpm8.4"]),
                    roles={"worker": ts.RoleArgs(command=["php", "/srv/shop/bin/worker"])},
                    migration=ts.MigrationArgs(command=["php", "/srv/shop/bin/migrate"]),
                    gateway=gateway.endpoint, database=database.connection, redis=redis.connection))  # fmt: skip
ts.BackupSchedule("backups", ts.BackupScheduleArgs(platform=host, database=database.connection, image=image("barman")))
ts.DNSRecords("dns", ts.DNSRecordsArgs(domain="shop.example", web=[ts.WebHostArgs(ipv4=["203.0.113.10"])]))
pulumi.export("url", app.url)
