"""Releases on a Docker host: the proxy is asked from inside its own network namespace, and ledger and lock lie in a
volume of the host."""

import contextlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any, cast
from urllib.parse import urlsplit

from tierstack.engine.project import UsageError
from tierstack.platform.proxy.traefik import INTERNAL
from tierstack.recovery.host import CommandError, Host
from tierstack.release import ledger, ledger_volume, proxy, public
from tierstack.release.executor import Observed, StepError
from tierstack.release.ledger import Entry
from tierstack.release.lock import Holder
from tierstack.release.overlay import Traffic
from tierstack.release.running import Running
from tierstack.release.updates import Updates
from tierstack.release.watch import READ_BACK_SECONDS
from tierstack.release.words import weights

_API, _METRICS = (f"http://127.0.0.1:{INTERNAL}/{path}" for path in ("api/http/services?per_page=1000", "metrics"))
"""Where Traefik answers in its own network namespace, and nowhere else."""
_LEDGER = "/ledger/releases.jsonl"
# The lock is written aside and linked: it is there as a whole, or not at all.
_LOCK = (
    "cat > /ledger/.lock.$$ && { ln /ledger/.lock.$$ /ledger/lock 2>/dev/null || cat /ledger/lock; }; "
    "rm /ledger/.lock.$$"
)
_APPEND = f"cat >> {_LEDGER} && sync {_LEDGER} 2>/dev/null || sync"
_CHECK = ("curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", "10")


@dataclass
class OnDocker:
    """An application on a Docker host."""

    updates: Updates
    host: Host
    platform: str
    """Name of the platform, with which the names of its objects on the host begin."""
    found: Running
    """What ran when the command began."""
    ca: str | None
    """The certificate authority of the stack (PEM). None: a public one."""

    def __post_init__(self) -> None:
        found = self.found
        where = urlsplit(found.url)
        self.app, self.hostname, self.port = found.app, str(where.hostname), where.port or 443
        self.prefix = f"{self.platform}-{found.app}"
        self.gateway = str(found.gateway)
        # It has a shell, because processes are started by it, and the client of its health check.
        self.image = found.current.image
        self._described = {one.name: one.described for one in found.releases}

    @property
    def volume(self) -> str:
        """The volume of ledger and lock. It is no part of the state: it outlives the stack. All applications share it,
        because an update of one is an update of the stack."""
        return ledger_volume.name_of(self.platform)

    def running(self) -> Running:
        """What the state says."""
        found = self.updates.running()
        self._described |= {one.name: one.described for one in found.releases}
        return found

    def preview(self, traffic: Traffic) -> Sequence[str]:
        """What an update would change."""
        return self.updates.preview(traffic)

    def drifted(self) -> Sequence[str]:
        """Parts that are not well, and weights that are not those of the state."""
        found = self.updates.ill_parts()
        wanted = proxy.in_percent({one.name: one.weight for one in self.running().releases if one.weight})
        try:
            served = self.observe().served
        except StepError as error:
            return [*found, str(error)]
        if served != wanted:
            found.append(f"the proxy serves {weights(served)}, and the state has {weights(wanted)}")
        return found

    def apply(self, traffic: Traffic | None) -> None:
        """One update."""
        self.updates.apply(traffic)

    def observe(self) -> Observed:
        """What Traefik serves and has counted, and the containers that are not well."""
        fetch = " && ".join(
            f"if command -v curl > /dev/null; then curl -fsS '{url}'; else wget -qO- '{url}'; fi"
            for url in (_API, _METRICS)
        )
        inside = ["--network", f"container:{self.gateway}", "--entrypoint", "/bin/sh", self.image, "-c"]
        try:
            api, _, metrics = self.host.run([*_RUN, *inside, fetch]).partition("\n")
            services = proxy.services(api)
        except (CommandError, ValueError) as error:
            raise StepError(f"the proxy does not say what it serves: {error}") from None
        return Observed(
            served=proxy.served(services, self.app) or {},
            known=proxy.known(services, self.app),
            counted=proxy.counted(metrics, self.app),
            ill=self._ill(),
        )

    def _ill(self) -> dict[str, str]:
        """Web containers that do not run, are unhealthy or were started again, by their releases."""
        states = ["docker", "ps", "--all", "--no-trunc", "--filter", "label=tierstack.dev/release"]
        listed = self.host.run([*states, "--filter", f"name={self.prefix}-", "--format", "{{.ID}}"]).split()
        if not listed:
            return {}
        seen: dict[str, str] = {}
        # A container may be removed in between.
        with contextlib.suppress(CommandError):
            for one in json.loads(self.host.run(["docker", "inspect", *listed])):
                if why := _why_ill(one):
                    seen[one["Config"]["Labels"]["tierstack.dev/release"]] = f"{one['Name'].lstrip('/')} {why}"
        return seen

    def smoke_inside(self, release: str, path: str) -> str | None:
        """Ask the first web container of a release."""
        described = self._described[release]
        web = cast(Mapping[str, Any], described.get("php") or described.get("http_server") or {})
        client = cast(Mapping[str, Any], described.get("health") or {}).get("client") or [
            *(*_CHECK, "--header", f"Host: {self.hostname}", "--header", "X-Forwarded-Proto: https")
        ]
        names = self.host.run(
            ["docker", "ps", "--filter", f"label=tierstack.dev/release={release}", "--format", "{{.Names}}"]
        ).split()
        fronts = sorted(one for one in names if one.startswith(f"{self.prefix}-{release}-") and one.endswith("-1"))
        fronts = [one for one in fronts if one.removeprefix(f"{self.prefix}-{release}-").count("-") <= 1]
        if not fronts:
            return "no web container of it runs"
        try:
            self.host.run(["docker", "exec", fronts[0], *client, f"http://127.0.0.1:{web.get('port', 8080)}{path}"])
        except CommandError as error:
            return str(error)
        return None

    def smoke(self, path: str, release: str | None) -> str | None:
        """Ask the public URL."""
        token = self.updates.token if release else None
        began = monotonic()
        while True:
            wrong = public.smoke(self.hostname, self.port, path, self.ca, release, token)
            # The proxy may not have read the password of this process yet, where another one began the release.
            if token is None or wrong != public.REFUSED or monotonic() - began > READ_BACK_SECONDS:
                return wrong
            sleep(0.5)

    def entries(self) -> Sequence[dict[str, Any]]:
        """The ledger."""
        found = ledger.parsed(self._in_volume(f"cat {_LEDGER} 2>/dev/null || :"))
        return [one for one in found if one.get("app") == self.app]

    def record(self, entry: Entry) -> None:
        """Append to the ledger."""
        self._in_volume(_APPEND, ledger.as_line({"app": self.app, **entry}))

    def lock(self, holder: Holder) -> Holder | None:
        """Take the lock."""
        found = self._in_volume(_LOCK, json.dumps(holder.as_dict())).strip()
        return Holder.parsed(_values(found)) if found else None

    def unlock(self) -> None:
        """Give the lock back."""
        self._in_volume("rm -f /ledger/lock")

    def now(self) -> datetime:
        """The time of this machine."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Sleep."""
        sleep(seconds)

    def _in_volume(self, command: str, stdin: str | None = None) -> str:
        if not self.host.succeeds(["docker", "volume", "inspect", self.volume]):
            # Without the label of the platform: it belongs to no state.
            self.host.run(["docker", "volume", "create", "--label", _LABEL, self.volume])
        mounted = ["--network", "none", "--user", "0:0", "--cap-drop", "ALL", "--volume", f"{self.volume}:/ledger"]
        return self.host.run([*_RUN, *mounted, "--entrypoint", "/bin/sh", self.image, "-c", command], stdin)


_LABEL = "app.kubernetes.io/managed-by=tierstack"
_RUN = (
    *("docker", "run", "--rm", "--interactive", "--read-only", "--security-opt", "no-new-privileges:true"),
    *("--label", _LABEL, "--log-driver", "none", "--memory", "64m"),
)


def _values(text: str) -> Mapping[str, Any]:
    try:
        return json.loads(text)
    except ValueError:
        raise UsageError(f"the lock of releases is damaged: {shlex.quote(text[:80])}") from None


def _why_ill(container: Mapping[str, Any]) -> str | None:
    """What is not well of a container, as `docker inspect` shows it."""
    state: Mapping[str, Any] = container["State"]
    if not state.get("Running"):
        killed = ", out of memory" if state.get("OOMKilled") else ""
        return None if state.get("Status") == "created" else f"ended with exit code {state.get('ExitCode')}{killed}"
    if container.get("RestartCount"):
        return f"was started again {container['RestartCount']} times"
    health: Mapping[str, Any] = state.get("Health") or {}
    return "is unhealthy" if health.get("Status") == "unhealthy" else None
