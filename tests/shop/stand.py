"""The shop on real containers, without any component of ours: data stores, pooler, web, worker, scheduler."""

import hashlib
import io
import json
import re
import secrets
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import requests
from docker.models.containers import Container

from tests.waiting import until

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "images" / "build.py"
NEEDED = ("postgres:17", "pgbouncer:1.24", "valkey:8.1", "shop:1", "shop:2")


def images() -> dict[str, str]:
    """Logical name to image id; builds what is missing."""
    only = [word for name in NEEDED for word in ("--only", name)]
    result = subprocess.run(
        [sys.executable, str(BUILD), "--json", *only], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(result.stdout)


class Stand:
    """One running shop. Secrets reach the containers as files, as our components hand them over."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.client = docker.from_env()
        self.images = names
        self.prefix = f"shoptest-{secrets.token_hex(3)}"
        self.secret = {
            name: secrets.token_urlsafe(24) for name in ("DB_PASSWORD", "REDIS_PASSWORD", "APP_KEY", "CHAOS_TOKEN")
        }
        self.containers: list[Container] = []
        self.network = self.client.networks.create(self.prefix)
        self.uploads = self.client.volumes.create(f"{self.prefix}-uploads")

    # -- containers ------------------------------------------------------------------------------------------

    def start(
        self,
        name: str,
        image: str,
        command: list[str],
        files: Mapping[str, str | bytes] | None = None,
        **options: Any,
    ) -> Container:
        container = self.client.containers.create(
            self.images[image],
            entrypoint=[],
            command=command,
            name=f"{self.prefix}-{name}",
            hostname=name,
            network=self.network.name,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            labels={"tierstack.test": "shop"},
            **options,
        )
        self.containers.append(container)
        if files:
            container.put_archive("/", archive(files))
        container.start()
        return container

    def data_stores(self) -> None:
        """PostgreSQL, PgBouncer in transaction mode, Valkey."""
        password = self.secret["DB_PASSWORD"]
        setup = (
            "initdb -D /var/lib/postgresql/data -U shop --pwfile=/run/password --auth=scram-sha-256"
            " && echo 'host all all all scram-sha-256' >> /var/lib/postgresql/data/pg_hba.conf"
            " && exec postgres -D /var/lib/postgresql/data -c listen_addresses='*' -c fsync=off"
        )
        self.postgres = self.start("postgres", "postgres:17", ["sh", "-c", setup], {"/run/password": password})
        ini = (
            "[databases]\nshop = host=postgres port=5432 dbname=postgres\n"
            "[pgbouncer]\nlisten_addr = *\nlisten_port = 6432\n"
            "auth_type = scram-sha-256\nauth_file = /etc/pgbouncer/users.txt\npool_mode = transaction\n"
            "default_pool_size = 4\nmax_client_conn = 200\n"
        )
        self.pooler = self.start(
            "pooler",
            "pgbouncer:1.24",
            ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"],
            {"/etc/pgbouncer/pgbouncer.ini": ini, "/etc/pgbouncer/users.txt": f'"shop" "{password}"\n'},
        )
        conf = f"requirepass {self.secret['REDIS_PASSWORD']}\nsave ''\nmaxmemory-policy noeviction\ndir /data\n"
        self.valkey = self.start(
            "valkey",
            "valkey:8.1",
            ["valkey-server", "/etc/valkey/valkey.conf"],
            {"/etc/valkey/valkey.conf": conf},
        )
        until("PostgreSQL", lambda: self.postgres.exec_run(["pg_isready", "-h", "127.0.0.1"]).exit_code == 0)
        until("Valkey", lambda: self.redis("PING") == "PONG")

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "DB_HOST": "pooler",
            "DB_PORT": "6432",
            "DB_DATABASE": "shop",
            "DB_USERNAME": "shop",
            "REDIS_HOST": "valkey",
            **{f"{name}_FILE": f"/srv/secrets/{name}" for name in self.secret},
            **more,
        }

    def shop(self, name: str, command: list[str], version: str = "1", **options: Any) -> Container:
        environment = self.environment(**options.pop("environment", {}))
        files: dict[str, str | bytes] = {f"/srv/secrets/{key}": value for key, value in self.secret.items()}
        files |= {f"/srv/conf/{file.name}": file.read_bytes() for file in HERE.glob("*.conf")}
        volumes = {self.uploads.name: {"bind": "/srv/uploads", "mode": "rw"}}
        return self.start(name, f"shop:{version}", command, files, environment=environment, volumes=volumes, **options)

    def web(self, name: str = "web", version: str = "1", **environment: str) -> "Site":
        """nginx and PHP-FPM in one container, published on a free port of this machine."""
        both = "php-fpm --nodaemonize -y /srv/conf/php-fpm.conf & exec nginx -g 'daemon off;' -c /srv/conf/nginx.conf"
        container = self.shop(
            name,
            ["sh", "-c", both],
            version,
            environment=environment,
            ports={"8080/tcp": ("127.0.0.1", None)},
        )
        container.reload()
        port = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]
        site = Site(container, f"http://127.0.0.1:{port}", self.secret["CHAOS_TOKEN"])
        until(f"{name} to answer", site.answers)
        return site

    def worker(self, name: str = "worker", **environment: str) -> Container:
        return self.shop(name, ["php", "bin/worker"], environment=environment)

    def scheduler(self, name: str = "scheduler", **environment: str) -> Container:
        return self.shop(name, ["php", "bin/schedule"], environment=environment)

    def migrate(self, name: str = "migrate", *arguments: str) -> tuple[int, str]:
        """Runs bin/migrate against the direct endpoint; exit code and output."""
        container = self.shop(
            f"{name}-{secrets.token_hex(2)}",
            ["php", "bin/migrate", *arguments],
            environment={"DB_DIRECT_HOST": "postgres", "DB_DIRECT_PORT": "5432", "DB_DATABASE": "postgres"},
        )
        code = container.wait(timeout=60)["StatusCode"]
        output = text(container.logs())
        self.remove(container)
        return code, output

    # -- looking inside --------------------------------------------------------------------------------------

    def redis(self, *command: str) -> str:
        password = {"REDISCLI_AUTH": self.secret["REDIS_PASSWORD"]}
        result = self.valkey.exec_run(["valkey-cli", "--no-auth-warning", *command], environment=password)
        return text(result.output).strip()

    def sql(self, query: str) -> str:
        result = self.postgres.exec_run(
            ["psql", "-h", "127.0.0.1", "-U", "shop", "-d", "postgres", "-Atc", query],
            environment={"PGPASSWORD": self.secret["DB_PASSWORD"]},
        )
        output = text(result.output).strip()
        assert result.exit_code == 0, output
        return output

    # -- ending ----------------------------------------------------------------------------------------------

    def remove(self, container: Container) -> None:
        container.remove(force=True, v=True)
        self.containers.remove(container)

    def close(self) -> None:
        for container in [*self.containers]:
            self.remove(container)
        self.uploads.remove(force=True)
        self.network.remove()


class Site:
    """One web replica, seen from outside."""

    def __init__(self, container: Container, address: str, chaos_token: str) -> None:
        self.container = container
        self.address = address
        self.session = requests.Session()
        self.chaos_header = {"Authorization": f"Bearer {chaos_token}"}

    def answers(self) -> bool:
        try:
            return self.get("/health").status_code == 200
        except requests.ConnectionError:
            return False

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.address + path, timeout=20, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.address + path, timeout=20, **options)

    def order(self, key: str, sku: str = "tea", quantity: int = 1) -> requests.Response:
        return self.post("/api/orders", json={"sku": sku, "quantity": quantity}, headers={"Idempotency-Key": key})

    def status(self, order: str) -> str:
        return self.get(f"/api/orders/{order}").json()["status"]

    def chaos(self, **setting: Any) -> requests.Response:
        return self.post("/api/chaos", json=setting, headers=self.chaos_header)

    def metrics(self) -> dict[str, float]:
        return parse(self.get("/api/monitoring/metrics").text)


def parse(text: str) -> dict[str, float]:
    """Prometheus text to {series: value}. Refuses what Prometheus would: untyped, repeated or bad samples."""
    label = r'[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"'
    sample = re.compile(rf"^([a-zA-Z_:][\w:]*)(\{{{label}(?:,{label})*\}})? (\+Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$")
    types: dict[str, str] = {}
    series: dict[str, float] = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} appears in two groups"
            types[name] = kind
        elif not line.startswith("# HELP "):
            found = sample.match(line)
            assert found, f"not a sample: {line!r}"
            family = re.sub(r"_(bucket|sum|count)$", "", found[1])
            assert found[1] in types or types.get(family) == "histogram", f"no TYPE for {line!r}"
            key = found[1] + (found[2] or "")
            assert key not in series, f"twice: {key}"
            series[key] = float(found[3])
    return series


def text(output: object) -> str:
    """What the SDK types as bytes or a stream, and is bytes here."""
    assert isinstance(output, bytes)
    return output.decode()


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A tar of files by absolute path, readable by everyone: the containers run as different users."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), 0o444
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
