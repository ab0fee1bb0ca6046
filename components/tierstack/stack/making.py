"""The components of a stack, from their arguments."""

import pkgutil
from typing import Any

from tierstack.platform.kubernetes.cluster import cluster
from tierstack.stack.instances import Instance
from tierstack.stack.wiring import ComponentArgs


class Components:
    """The components of a stack. One that another is linked to is made before it."""

    def __init__(self, make: ComponentArgs) -> None:
        self._make = make
        self._made: dict[Instance, Any] = {}

    def all(self) -> None:
        """Make every component, each given what those before it made; first what must be in a cluster."""
        for addons in self.of("addons"):
            cluster(self._make.platform).after(addons)
        for one in self._make.instances:
            self.component(one)

    def component(self, of: Instance) -> Any:
        """The component. None: the stack has none."""
        if of not in self._made:
            args = self._make.args(of, self)
            component: Any = pkgutil.resolve_name(of.section.component)
            self._made[of] = None if args is None else component(of.name, args)
        return self._made[of]

    def link(self, of: Instance) -> Any:
        """What a component hands to others. None: the stack has none."""
        component, link = self.component(of), of.section.link
        return None if component is None or link is None else getattr(component, link)

    def of(self, key: str) -> list[Any]:
        """The components of a section that the stack has."""
        return [made for one in self._make.of(key) if (made := self.component(one)) is not None]
