"""Good arguments to change in tests."""

from typing import Any

from tests.gateway.samples import endpoint
from tierstack.app_cluster import (
    AppClusterArgs,
    HealthArgs,
    MigrationArgs,
    PhpFpmArgs,
    ReleaseBeside,
    RoleArgs,
    UploadsArgs,
    identity,
)
from tierstack.app_cluster.description import description
from tierstack.core.tier import Tier
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.links import DatabaseConnection, DatabaseEngine, RedisConnection, SecretRef, TrustedCA
from tierstack.platform import DockerHost, Kubernetes, Platform

DIGEST = "0" * 64


def php(**changes: Any) -> PhpFpmArgs:
    return PhpFpmArgs(document_root="/srv/shop/public", **changes)


PLATFORMS: dict[str, Platform] = {
    "docker": DockerHost(name="shop"),
    "kubernetes": Kubernetes(name="shop"),
    "rendered": Kubernetes(name="shop", render_to="out"),
}


def password(on: str, value: str) -> SecretRef:
    return SecretRef(value=value) if on == "docker" else SecretRef(secret_name=f"{value}-secret", key="password")


def trusted(on: str, of: str) -> TrustedCA:
    return TrustedCA(volume=f"shop-{of}-ca") if on == "docker" else TrustedCA(secret_name=f"{of}-ca")


def database(on: str) -> DatabaseConnection:
    return DatabaseConnection(
        engine=DatabaseEngine.POSTGRESQL.value,
        environment=POSTGRESQL.client_environment(verified=True),
        host="db-pooler",
        port="6432",
        direct_host="db",
        direct_port="5432",
        database="app",
        user="app",
        password=password(on, "db-password"),
        network="shop-db" if on == "docker" else None,
        direct_network="shop-db-direct" if on == "docker" else None,
        client_labels=None if on == "docker" else {"tierstack.dev/pooler-client.db": "true"},
        direct_client_labels=None if on == "docker" else {"tierstack.dev/db-direct": "true"},
        ca=trusted(on, "db"),
    )


def redis(on: str, name: str = "redis") -> RedisConnection:
    return RedisConnection(
        host=name,
        port="6380" if on == "docker" else "6379",
        password=password(on, f"{name}-password"),
        network=f"shop-{name}" if on == "docker" else None,
        client_labels=None if on == "docker" else {f"tierstack.dev/redis-client.{name}": "true"},
        ca=trusted(on, name) if on == "docker" else None,
    )


def given(on: str, **changes: Any) -> dict[str, Any]:
    """Arguments without a problem, as the component host gives them, with `changes`; None leaves one out. A map of
    `php` changes that group."""
    image = f"sha256:{DIGEST}" if on == "docker" else f"registry.example.org/shop:1@sha256:{DIGEST}"
    good: dict[str, Any] = {
        "platform": PLATFORMS[on],
        "tier": "100k",
        "image": image,
        "hostnames": ["shop.example.org"],
        "php": php(),
        "gateway": endpoint(on),
        "database": database(on),
        "redis": redis(on),
    }
    if isinstance(changes.get("php"), dict):
        changes["php"] = {"document_root": "/srv/shop/public", **changes["php"]}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def args(on: str, **changes: Any) -> AppClusterArgs:
    """The same as an object."""
    return AppClusterArgs(**{**given(on, **changes), "tier": changes.get("tier", Tier.USERS_100K)})


def release_name(of: AppClusterArgs) -> str:
    """The name of the release that arguments describe."""
    return identity.known_name(of.application, of.described)


def other(on: str, digit: str = "1", changes: dict[str, Any] | None = None, **more: Any) -> ReleaseBeside:
    """A release of another image, beside that of the arguments; its description is of arguments with `changes`."""
    image = given(on)["image"].replace("sha256:0", f"sha256:{digit}")
    return ReleaseBeside(description=description(args(on, **{"image": image, **(changes or {})}).described), **more)


FULL: dict[str, Any] = {
    "hostnames": ["shop.example.org", "*.shop.example.org"],
    "roles": {
        "worker": RoleArgs(command=["php", "bin/worker"], health_command=["php", "bin/healthcheck", "worker"]),
        "scheduler": RoleArgs(command=["php", "bin/schedule"], single=True),
    },
    "migration": MigrationArgs(command=["php", "bin/migrate"]),
    "uploads": UploadsArgs(path="/srv/uploads"),
    "environment": {"MAIL_HOST": "mail.example.org"},
    "secrets": {"APP_KEY": "the-app-key"},
    "health": HealthArgs(readiness_path="/api/monitoring/health"),
}
"""Everything that an application can have."""
