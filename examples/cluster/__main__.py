"""The operators that tierstack needs, installed into a cluster: once, from a stack of its own.

pulumi config set --path addons.without[0] keda     # every argument of ClusterAddons is a key of `addons`
pulumi config set --path platform.context staging   # and every one of the platform a key of `platform`
"""

from typing import Any

import pulumi

import tierstack as ts

config = pulumi.Config()
platform: dict[str, Any] = {"kind": "kubernetes", "name": "cluster", **(config.get_object("platform") or {})}
keys: dict[str, Any] = config.get_object("addons") or {}
given: Any = {"platform": platform, **keys}
addons = ts.ClusterAddons("addons", given)
pulumi.export("gateway_class", addons.gateway_class)
pulumi.export("versions", addons.versions)
