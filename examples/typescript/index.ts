// A shop in TypeScript. `pulumi package add` makes the package `tierstack` from the plugin: docs/languages.md.
import * as pulumi from "@pulumi/pulumi";
import * as tierstack from "tierstack";

const image = new pulumi.Config().require("image"); // pulumi config set image registry.example/shop:17@sha256:…
const platform = { kind: "kubernetes", name: "shop", renderTo: "rendered", secretStore: "vault" } as const;
const hostnames = ["shop.example.org"];
const size = { platform, tier: "100k", image } as const;

const tls = new tierstack.TLS("tls", { platform, hostnames });
const gateway = new tierstack.Gateway("gateway", { platform, certificate: tls.certificate });
const storage = new tierstack.ObjectStorage("storage", { platform, bucket: "shop-backups", region: "eu-central-1" });
const db = new tierstack.DatabaseWithReplicas("db", { ...size, archive: { store: storage.store } });
const queue = new tierstack.RedisCluster("queue", { platform, image });
const web = new tierstack.AppCluster("web", {
  ...size,
  hostnames,
  php: { documentRoot: "/srv/shop/public" },
  gateway: gateway.endpoint,
  database: db.connection,
  redis: queue.connection,
});
new tierstack.BackupSchedule("backups", { platform, database: db.connection });

export const url = web.url;
