"""A secret value that one component hands to another."""

from dataclasses import dataclass, field

import pulumi


@dataclass(kw_only=True)
class SecretRef:
    """A secret value: inside the engine (Docker), or by name and key of a Kubernetes Secret that it never leaves."""

    value: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """The value itself, always a secret output. None on Kubernetes where the cluster makes the value."""
    secret_name: pulumi.Input[str] | None = None
    """Kubernetes: name of the Secret in the platform's namespace. None on Docker."""
    key: str | None = None
    """Kubernetes: key inside the Secret. None on Docker."""
    revision: pulumi.Input[str] | None = None
    """Digits that change with the value and do not reveal it. Whatever reads the secret at its start carries them, so
    that a changed value restarts it. None: not known, because the cluster makes the value, or it was given by hand."""

    def as_text(self) -> str:
        """What to do where the secret is wanted as a text."""
        if self.value is not None:
            return "pass its `value`, which is a secret output"
        return "the value never leaves the cluster: pass the whole connection to the argument that takes it"
