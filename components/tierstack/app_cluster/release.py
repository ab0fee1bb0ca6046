"""A release as a value (pure): what its containers are made of, how many there are, and its share of the requests.

The builders take an application and a list of releases that run at the same time, in the order in which they came.
Every strategy (rolling, blue-green, canary, rollback) is a sequence of such lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi

from tierstack.app_cluster.counts import AppCounts
from tierstack.app_cluster.options import (
    HealthArgs,
    HttpServerArgs,
    MigrationArgs,
    PhpFpmArgs,
    RoleArgs,
    SecretDelivery,
)


@dataclass(frozen=True, kw_only=True)
class RequestLimits:
    """What a release admits of one request; its web containers are configured with it."""

    max_body_mb: int
    request_timeout_seconds: int
    stop_seconds: int | None
    """How long a request may take when its container stops, in seconds. None: `request_timeout_seconds`."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One version of an application, with all that goes back with it in a rollback.

    Its name is derived from its content (`identity.release_name`), so the same release has the same name wherever it
    stands in a list.
    """

    image: pulumi.Input[str]
    nginx_image: pulumi.Input[str] | None
    php: PhpFpmArgs | None
    """Exactly one of `php` and `http_server` is given, as the rules want it."""
    http_server: HttpServerArgs | None
    requests: RequestLimits
    health: HealthArgs
    environment: Mapping[str, str]
    secret_delivery: SecretDelivery
    writable_paths: Sequence[str]
    roles: Mapping[str, RoleArgs]
    migration: MigrationArgs | None
    counts: AppCounts
    weight: int = 100
    """Its share of the requests among the sum of all weights. 0: it runs and takes no request."""
    current: bool = True
    """Whether the application moves to this release, or has moved to it: true of exactly one in a list. All roles are
    of that one alone, whatever the weights are. Its jobs may be unknown to processes of an older release, while it must
    know theirs, which wait in the queue; and there are never two schedulers."""
    drain: bool = False
    """Whether visitors who stick to it keep it although its weight is 0."""

    @property
    def web(self) -> PhpFpmArgs | HttpServerArgs:
        """What answers requests. Raises ValueError where nothing does, which the rules refuse."""
        web = self.php or self.http_server
        if web is None:
            raise ValueError("neither `php` nor `http_server` is given")
        return web

    @property
    def unknown_images(self) -> list[str]:
        """The arguments that give images which are known only during the update."""
        given = {"image": self.image, "nginx_image": self.nginx_image}
        return [name for name, image in given.items() if image is not None and not isinstance(image, str)]


def with_known_images(release: Release, use: Callable[[Release], str]) -> pulumi.Input[str]:
    """What `use` makes of `release`; an output where an image is known only during the update."""
    if not release.unknown_images:
        return use(release)
    return pulumi.Output.all(release.image, release.nginx_image).apply(
        lambda known: use(replace(release, image=str(known[0]), nginx_image=known[1]))
    )


def checked(releases: Sequence[Release]) -> Sequence[Release]:
    """`releases`, where they can run together. Raises ValueError where not exactly one is current, a weight is below 0,
    or no release takes requests."""
    weights = [one.weight for one in releases]
    if not any(weights) or min(weights) < 0:
        raise ValueError(f"weights of releases must not be below 0, and one of them must be above: {weights}")
    if (count := sum(one.current for one in releases)) != 1:
        raise ValueError(f"exactly one release must be current, not {count} of {len(releases)}")
    return releases
