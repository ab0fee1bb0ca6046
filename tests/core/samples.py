"""An args class with every kind of field that tierstack's components have."""

from dataclasses import dataclass, field

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import Diagnostic
from tierstack.core.keys import within
from tierstack.core.tier import Tier
from tierstack.links import SecretRef


@dataclass(kw_only=True)
class Inner:
    size: int
    names: list[str] = field(default_factory=list)
    item_names: list[str] | None = None


@dataclass(kw_only=True)
class Sample:
    name: str
    tier: Tier = Tier.USERS_100K
    count: int | None = field(default=None, metadata=within(1, 50))
    share: float = field(default=0.5, metadata=within(0, 1))
    enabled: bool = True
    hostnames: list[str] = field(default_factory=list)
    environment: dict[str, str] | None = None
    inner: Inner | None = None
    inners: list[Inner] = field(default_factory=list)
    max_open_files: int = 10
    memory_mb: int | None = None
    stop_seconds: int | None = None
    cpu: float | None = None
    late: pulumi.Input[str] | None = None
    many_late: list[pulumi.Input[str]] | None = None
    password: SecretRef | None = None
    secrets: dict[str, pulumi.Input[str]] | None = field(default=None, metadata={"secret": True})

    def problems(self) -> list[Diagnostic]:
        return bound_problems(self)
