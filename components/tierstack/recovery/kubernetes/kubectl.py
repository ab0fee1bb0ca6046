"""Commands of kubectl in the namespace of a stack."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tierstack.core.before import at
from tierstack.engine.project import UnreachableError
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.recovery.host import CommandError, Host

ANSWER_SECONDS = 10
"""How long the API server may take for an answer."""


@dataclass(frozen=True)
class Kubectl:
    """A namespace of a cluster. kubectl speaks every way to log in that a kubeconfig can name."""

    context: str | None
    """Of the kubeconfig. None: the current one."""
    namespace: str
    host: Host = field(default_factory=lambda: Host(None))
    """What runs the commands."""

    def check(self) -> None:
        """Raise UnreachableError where commands cannot be run."""
        if shutil.which("kubectl") is None:
            raise UnreachableError("the command-line client of Kubernetes (`kubectl`) is not on the PATH: install it")
        try:
            self.run("get", "namespace", self.namespace, "-o", "name", f"--request-timeout={ANSWER_SECONDS}s")
        except CommandError as error:
            where = f"context {self.context}" if self.context else "the current context"
            raise UnreachableError(
                f"the cluster of {where} does not answer, or has no such namespace: {error}"
            ) from None

    def command(self, *arguments: str) -> list[str]:
        """A whole command line."""
        where = ["--context", self.context] if self.context else []
        return ["kubectl", *where, "--namespace", self.namespace, *arguments]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What a command prints. Raises CommandError where it fails."""
        return self.host.run(self.command(*arguments), stdin)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object; None where there is none."""
        said = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(said) if said.strip() else None

    def all(self, kind: str, labels: str = "") -> list[dict[str, Any]]:
        """The objects of a kind, those with `labels` only."""
        selected = ["--selector", labels] if labels else []
        return json.loads(self.run("get", kind, *selected, "-o", "json"))["items"]

    def apply(self, manifests: Sequence[Manifest]) -> None:
        """Create or change objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": [*manifests]}
        self.run("apply", "--filename", "-", stdin=json.dumps(listed))

    def write(self, verb: str, one: Manifest) -> None:
        """`create` or `replace` an object. Raises CommandError where somebody else was faster."""
        self.run(verb, "--filename", "-", stdin=json.dumps(one))

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and wait until it is gone; one that is not there is no error."""
        self.run("delete", kind, name, "--ignore-not-found", "--timeout=5m")


def condition(one: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """A condition of an object; empty where it has none of the type."""
    found = at(one, "status", "conditions")
    listed = cast(list[Mapping[str, Any]], found) if isinstance(found, list) else []
    nothing: Mapping[str, Any] = {}
    return next((each for each in listed if each["type"] == type_), nothing)
