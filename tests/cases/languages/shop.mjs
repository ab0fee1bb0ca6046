// The shop of docs/languages.md in JavaScript, run as an inline program: `node shop.mjs preview|up`.
import * as pulumi from "@pulumi/pulumi";
import { LocalWorkspace } from "@pulumi/pulumi/automation/index.js";

// What a generated SDK does: a remote component, whose outputs are declared and come from the plugin.
class Remote extends pulumi.ComponentResource {
  constructor(type, name, args, outputs) {
    const declared = Object.fromEntries(outputs.map((output) => [output, undefined]));
    super(`tierstack:index:${type}`, name, { ...args, ...declared }, {}, true);
  }
}

const given = JSON.parse(process.env.SHOP ?? "{}"); // arguments of the queue, for wrong ones

const program = async () => {
  const platform = { kind: "kubernetes", name: "shop", renderTo: "rendered", secretStore: "vault" };
  const image = `registry.example/shop:17@sha256:${"a".repeat(64)}`;
  const hostnames = ["shop.example.org"];
  const tls = new Remote("TLS", "tls", { platform, hostnames }, ["certificate"]);
  const gateway = new Remote("Gateway", "gateway", { platform, certificate: tls.certificate }, ["endpoint"]);
  const size = { platform, tier: "100k", image };
  const bucket = { platform, bucket: "shop-backups", region: "eu-central-1" };
  const storage = new Remote("ObjectStorage", "storage", bucket, ["store"]);
  const db = new Remote("DatabaseWithReplicas", "db", { ...size, archive: { store: storage.store } }, ["connection"]);
  const queue = new Remote("RedisCluster", "queue", { platform, image, ...given }, ["connection"]);
  const web = new Remote("AppCluster", "web", {
    ...size, hostnames, php: { documentRoot: "/srv/shop/public" },
    gateway: gateway.endpoint, database: db.connection, redis: queue.connection,
  }, ["url"]);
  new Remote("BackupSchedule", "backups", { platform, database: db.connection }, []);
  return { url: web.url };
};

const settings = { name: "shop", runtime: "nodejs" };
const where = { workDir: process.cwd(), projectSettings: settings };
const stack = await LocalWorkspace.createOrSelectStack({ stackName: "dev", projectName: "shop", program }, where);
const run = process.argv[2] === "up" ? stack.up({ onOutput: print }) : stack.preview({ onOutput: print });
run.catch(() => process.exit(1)); // the engine has said why

function print(text) {
  process.stdout.write(text);
}
