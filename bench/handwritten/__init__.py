"""The program to compare with: SHOPS shops in one namespace, rendered into RENDER, with Pulumi's Kubernetes SDK.

It makes what `bench.ours` makes, object by object (`tests/bench` compares them), the way people write it: typed
arguments, a component of one's own for each group, one explicit provider.
"""

import os

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.app import web
from bench.handwritten.common import KEPT, LABELS
from bench.handwritten.database import backups, db, storage
from bench.handwritten.edge import gateway, tls
from bench.handwritten.jobs import jobs
from bench.handwritten.network import default_deny
from bench.handwritten.redis import redis


def shop(number: str, provider: k8s.Provider, namespace: pulumi.Resource) -> None:
    """A shop of seven groups."""

    def group(name: str) -> pulumi.ResourceOptions:
        parent = pulumi.ComponentResource("bench:index:Group", f"{name}-{number}")
        return pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=[namespace])

    for part in (tls, gateway, storage, db, redis, backups):
        part(number, group(part.__name__))
    application = group("web")
    web(number, application)
    jobs(number, application)


def program() -> None:
    provider = k8s.Provider("bench-kubernetes", render_yaml_to_directory=os.environ["RENDER"])
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    namespace = k8s.core.v1.Namespace(
        "bench-namespace",
        metadata=k8s.meta.v1.ObjectMetaArgs(name="bench", labels={**LABELS, **levels}, annotations=KEPT),
        opts=pulumi.ResourceOptions(provider=provider),
    )
    default_deny(pulumi.ResourceOptions(provider=provider, depends_on=[namespace]))
    for number in range(int(os.environ["SHOPS"])):
        shop(str(number), provider, namespace)


if __name__ == "__main__":
    program()
