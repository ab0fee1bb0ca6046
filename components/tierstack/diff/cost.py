"""What a plan reserves before and afterwards: CPU, memory, disk, and money by the user's own prices."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierstack.core.quantities import GIB, quantity
from tierstack.diff.marks import ABSENT
from tierstack.diff.model import Change, Plan, at, elements, mapping

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Amount:
    """What is reserved: cores, bytes of memory, bytes of disk."""

    cpu: float = 0
    memory: float = 0
    disk: float = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.disk + other.disk)

    def __sub__(self, other: "Amount") -> "Amount":
        return self + other * -1

    def __mul__(self, times: float) -> "Amount":
        return Amount(self.cpu * times, self.memory * times, self.disk * times)

    def __bool__(self) -> bool:
        return any(abs(one) > least for one, least in ((self.cpu, 1e-6), (self.memory, 1), (self.disk, 1)))


@dataclass(frozen=True)
class Prices:
    """What a month of each costs; whatever is not given costs nothing."""

    currency: str = "EUR"
    cpu: float = 0
    """Of one core."""
    memory_gib: float = 0
    disk_gib: float = 0

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Prices":
        """From a map with these keys. Raises ValueError with what is wrong."""
        known = ("currency", "cpu", "memory_gib", "disk_gib")
        for key, value in given.items():
            if key not in known:
                raise ValueError(f"{key}: is not a known key; known keys: {', '.join(known)}")
            if key != "currency" and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise ValueError(f"{key} = {value!r}: is not a price; write a number for one month")
        return cls(**given)

    def of_a_month(self, amount: Amount) -> float:
        """The price of a month."""
        return amount.cpu * self.cpu + (amount.memory * self.memory_gib + amount.disk * self.disk_gib) / GIB


@dataclass(frozen=True)
class Cost:
    """What a plan reserves, before and afterwards."""

    components: tuple[tuple[str, Amount, Amount], ...]
    """Those that change: (name of the component, before, afterwards)."""
    before: Amount
    after: Amount
    whole: bool
    """Whether the sums are those of the whole stack. False: of what changes alone."""


def cost(plan: Plan) -> Cost:
    """The sums of a plan: of the whole stack, if the plan lists what stays as it is."""
    sides = [_Side([*_states(plan, old)]) for old in (True, False)]
    names = dict.fromkeys(one.component.name for one in plan.changes)
    found = [(name, sides[0].of(name), sides[1].of(name)) for name in names]
    changed = tuple(one for one in found if one[2] - one[1])
    if plan.complete:
        return Cost(changed, sides[0].of(None), sides[1].of(None), whole=True)
    before, after = (sum(side, Amount()) for side in ((one[1] for one in found), (one[2] for one in found)))
    return Cost(changed, before, after, whole=False)


State = Mapping[str, Any]


def _states(plan: Plan, old: bool) -> Iterable[tuple[Change, State]]:
    for one in plan.changes:
        if state := (one.old if old else one.new):
            yield one, state
    for one in plan.unchanged:
        yield one, one.state


class _Side:
    """All resources of one side."""

    def __init__(self, states: Sequence[tuple[Change, State]]) -> None:
        autoscaled: dict[str, int] = {}
        for change, state in states:
            if change.kind == "HorizontalPodAutoscaler":
                autoscaled[str(at(state, "spec scaleTargetRef name"))] = int(at(state, "spec minReplicas") or 1)
        templates = {  # claims that a StatefulSet takes over are counted once, as claims
            str(at(state, "metadata name")) for change, state in states if change.kind == "PersistentVolumeClaim"
        }
        self._found = [
            (change.component.name, _amount(change, state, autoscaled, templates)) for change, state in states
        ]

    def of(self, component: str | None) -> Amount:
        """The sum of a component; None: of all."""
        return sum((amount for name, amount in self._found if component in (None, name)), Amount())


def _amount(change: Change, state: State, autoscaled: Mapping[str, int], claims: set[str]) -> Amount:
    kind = change.kind
    if change.type == "docker:index/container:Container":
        memory, shares = (quantity(state.get(key)) or 0 for key in ("memory", "cpus"))
        return Amount(cpu=shares, memory=memory * 2**20)
    if not change.type.startswith("kubernetes:"):
        return Amount()
    name = str(at(state, "metadata name"))
    if kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        pods = autoscaled.get(name, _count(at(state, "spec replicas")))
        disk = 0.0
        for one in elements(at(state, "spec volumeClaimTemplates")):
            made = str(at(one, "metadata name"))
            if not any(claim.startswith(f"{made}-{name}-") for claim in claims):
                disk += quantity(at(one, "spec resources requests storage")) or 0
        return (_pod(at(state, "spec template spec")) + Amount(disk=disk)) * pods
    if kind == "PersistentVolumeClaim":
        return Amount(disk=quantity(at(state, "spec resources requests storage")) or 0)
    if kind == "Cluster" and "cnpg.io" in change.type:
        disk = sum(quantity(at(state, f"spec {one} size")) or 0 for one in ("storage", "walStorage"))
        return (_requests(at(state, "spec resources")) + Amount(disk=disk)) * _count(at(state, "spec instances"))
    if kind == "Pooler":
        return _pod(at(state, "spec template spec")) * _count(at(state, "spec instances"))
    return Amount()


def _pod(spec: Any) -> Amount:
    return sum((_requests(one.get("resources")) for one in elements(mapping(spec).get("containers"))), Amount())


def _requests(resources: Any) -> Amount:
    given = mapping(resources)
    wanted = [at(given, f"requests {one}") for one in ("cpu", "memory")]
    limits = [at(given, f"limits {one}") for one in ("cpu", "memory")]
    cpu, memory = (quantity(a if a is not ABSENT else b) or 0 for a, b in zip(wanted, limits, strict=True))
    return Amount(cpu=cpu, memory=memory)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 1
