"""The staging stack on the cluster, as a user brings it up: its configuration, and what a test looks at."""

import os
import ssl
import subprocess
import uuid
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.load import Account, Site
from tests.projects import Checkout
from tests.waiting import until

HOST = "staging.shop.example"
ADMIN_HOST = "admin.staging.shop.example"
ISSUER = "tests"
IMAGES = {
    "app": "local:shop:1",
    "postgres": "local:postgres:17",
    "pgbouncer": "local:pgbouncer:1.24",
    "redis": "local:valkey:8.1",
    "haproxy": "local:haproxy:3.0",
}
SIZES = {
    "database": {
        "cpu": 0.3,
        "pooler_cpu": 0.1,
        "memory_mb": 1024,
        "storage_gb": 5,
        "wal_storage_gb": 2,
        "archive": {"cpu": 0.65},
    },
    "redis": {"memory_mb": 256, "storage_gb": 5, "cpu": 0.1},
}
"""What three nodes on two processors have room for: what is asked for must fit, what is used may be more."""
S3 = {"endpoint_url": "http://s3.s3.svc.cluster.local:7070", "region": "eu-central-1"}


def kubectl(*arguments: str, check: bool = True, input: str | None = None) -> str:
    """Standard output of a kubectl command on the current cluster."""
    done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, input=input)
    if check and done.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def wait_until(what: str, reached: Callable[[], object], seconds: float) -> None:
    """Ask again until it is so; fails the test after `seconds`.

    Once a second: a kubectl costs a tenth of a second of processor, which a measured pause would be longer by.
    """
    until(what, reached, seconds, every=1)


def without_backups(config: dict[str, Any]) -> None:
    """Take away the backups and all that only they need: the bucket's credentials are encrypted for one stack."""
    config.pop("backups")
    config.pop("object_storage")
    config["database"].pop("archive", None)


def two_applications(config: dict[str, Any]) -> None:
    """Make the application two behind one gateway: the shop, and its administration with roles of its own. They share
    database and Redis, and the shop alone migrates."""
    without_backups(config)
    shop = config.pop("app")
    shop["php"]["children"] = 4
    worker = shop["roles"]["worker"] | {"count": 1, "max_count": 1}
    shop |= {"replicas": 1, "max_replicas": 1, "roles": shop["roles"] | {"worker": worker}}
    admin = {key: value for key, value in deepcopy(shop).items() if key not in ("migration", "uploads")}
    admin |= {"hostnames": [ADMIN_HOST], "roles": {"worker": deepcopy(worker), "reports": deepcopy(worker)}}
    config["apps"] = {"shop": shop, "admin": admin}


class Shop:
    """The stack under test: staging's own configuration with the cluster's images and sizes that fit one machine."""

    def __init__(self, folder: Path, name: str) -> None:
        self.checkout = Checkout.make(folder)
        self.namespace = self.stack = name
        # Of its own for each run: Barman refuses to archive into the place of another database.
        self.bucket = f"{name}-{uuid.uuid4().hex[:8]}"
        self.platform = {"kind": "kubernetes", "name": name}
        self.checkout.config(self.stack, self._fit, base="staging")
        # Secrets as a user gives them: encrypted in the configuration.
        self.checkout.pulumi("stack", "init", self.stack)
        for part in ("access_key_id", "secret_access_key"):
            path = f"object_storage.{part}"
            self.checkout.pulumi("config", "set", "--secret", "--path", path, "s3-for-tests", "--stack", self.stack)

    def _fit(self, config: dict[str, Any]) -> None:
        config["platform"] = self.platform
        config["images"] = IMAGES
        config["tls"] = {"cluster_issuer": ISSUER}
        config |= deepcopy(SIZES)
        config["app"]["php"]["cpu"] = 0.1
        config["app"]["http"] = {"rate_limit": 10000, "rate_burst": 20000}
        for role in config["app"]["roles"].values():
            role["cpu"] = 0.02
        config["app"]["migration"]["cpu"] = 0.02
        config["app"]["uploads"]["storage_class"] = os.environ.get("TIERSTACK_CLUSTER_SHARED_CLASS", "shared")
        config["object_storage"] = {**S3, "bucket": self.bucket}

    def change(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change the configuration."""
        self.checkout.config(self.stack, change)

    def up(self, *flags: str) -> dict[str, Any]:
        """`tierstack up`."""
        return self.checkout.json("up", "-s", self.stack, *flags)

    def site(self, host: str = HOST) -> Site:
        """Where it answers, once the load balancer has an address and the certificate is there."""
        address = kubectl("-n", "traefik", "get", "service", "traefik", "-o", _INGRESS).strip()
        ca = kubectl(
            "-n",
            "cert-manager",
            "get",
            "secret",
            f"{ISSUER}-ca",
            "-o",
            r"go-template={{index .data "
            r'"tls.crt" | base64decode}}',
        )
        return Site(host, address, ssl.create_default_context(cadata=ca))

    def sql(self, query: str) -> str:
        """One value, from the primary itself."""
        selector = "cnpg.io/cluster=db,cnpg.io/instanceRole=primary"
        pod = kubectl("-n", self.namespace, "get", "pod", "-l", selector, "-o", "name").split()[0]
        command = ("psql", "-At", "-d", "app", "-c", query)
        return kubectl("-n", self.namespace, "exec", pod, "-c", "postgres", "--", *command).strip()

    def check_orders(self, account: Account) -> tuple[int, int]:
        """(acknowledged orders that are lost, orders that exist twice)."""
        rows = self.sql("SELECT idempotency_key, id FROM orders").splitlines()
        found: dict[str, list[str]] = {}
        for row in rows:
            key, _, identifier = row.partition("|")
            found.setdefault(key, []).append(identifier)
        lost = sum(identifier not in found.get(key, []) for key, identifier in account.orders.items())
        return lost, sum(len(ids) > 1 for ids in found.values())

    def pods(self, selector: str = "") -> list[str]:
        """Names of the pods that are Ready."""
        template = (
            '{{range .items}}{{$n := .metadata.name}}{{range .status.conditions}}{{if and (eq .type "Ready") '
            '(eq .status "True")}}{{$n}} {{end}}{{end}}{{end}}'
        )
        more = ("-l", selector) if selector else ()
        return kubectl("-n", self.namespace, "get", "pods", *more, "-o", f"go-template={template}").split()

    def down(self) -> None:
        """Take everything away, the data too."""
        self.checkout.tierstack("down", "-s", self.stack, "--delete-data", "--yes", code=None)


_INGRESS = "go-template={{range .status.loadBalancer.ingress}}{{.ip}}{{end}}"
