"""MtaStsHost on Kubernetes: nginx that serves a ConfigMap, and the route to it."""

import pulumi

from tierstack.dns_records.mail.mta_sts.fetch import PATH
from tierstack.mta_sts_host import server
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform import policies
from tierstack.platform.kubernetes import CONTAINER_SECURITY, POD_SECURITY, Manifest, cluster
from tierstack.platform.proxy import GATEWAY_API

_DRAIN_SECONDS = 5  # how long proxies may take to learn that a pod leaves


def manifests(name: str, args: MtaStsHostArgs) -> dict[str, Manifest]:
    """The objects by logical name, each after those that it needs."""
    # Named by content, so that another policy rolls the pods and the old ones keep theirs.
    config = f"{name}-{server.digest(''.join(server.files(args).values()))}"
    return {
        f"{name}-config": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": config, "labels": labels(name)},
            "immutable": True,
            "data": server.files(args),
        },
        f"{name}-network": _network_policy(name, args),
        name: _deployment(name, args, config),
        f"{name}-service": {
            "apiVersion": "v1",
            "kind": "Service",
            # Its endpoints come with the pods, which the Deployment waits for.
            "metadata": {**metadata(name), "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {
                "selector": labels(name),
                "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            },
        },
        f"{name}-route": _route(name, args),
    }


def labels(name: str) -> dict[str, str]:
    """What selects the pods; never changes, because a Deployment's selector cannot."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "mta-sts"}


def metadata(name: str) -> Manifest:
    """Name and labels of an object."""
    return {"name": name, "labels": labels(name)}


def _network_policy(name: str, args: MtaStsHostArgs) -> Manifest:
    """In: the proxy only. Out: nothing."""
    proxies = [policies.namespace(args.gateway.proxy_namespace or "")]
    rules = [policies.ingress(proxies, args.port)]
    return policies.policy(name, labels(name), ingress=rules, egress=[], labels=labels(name))


def _deployment(name: str, args: MtaStsHostArgs, config: str) -> Manifest:
    uid, gid = (int(part) for part in args.user.split(":"))
    get = {"httpGet": {"path": PATH, "port": "http"}, "timeoutSeconds": 3}
    stop = f"sleep {_DRAIN_SECONDS}; kill -QUIT 1; while kill -0 1 2>/dev/null; do sleep 0.2; done"
    container = {
        "name": "nginx",
        "image": args.image,
        "command": server.command(args),
        "ports": [{"name": "http", "containerPort": args.port}],
        "resources": {
            "requests": {"cpu": "10m", "memory": f"{args.memory_mb}Mi"},
            "limits": {"memory": f"{args.memory_mb}Mi"},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "config", "mountPath": server.CONFIG, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", stop]}}},
        "readinessProbe": {**get, "periodSeconds": 5},
        "livenessProbe": {**get, "periodSeconds": 10, "failureThreshold": 6},
    }
    pod = {
        "metadata": {"labels": labels(name)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {**POD_SECURITY, "runAsUser": uid, "runAsGroup": gid, "fsGroup": gid},
            "terminationGracePeriodSeconds": 30,
            "containers": [container],
            "volumes": [
                {"name": "config", "configMap": {"name": config}},
                {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
            ],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(name),
        "spec": {
            # One: while it is away, senders go by the policy that they have kept (RFC 8461 §3.3).
            "replicas": 1,
            "selector": {"matchLabels": labels(name)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "revisionHistoryLimit": 2,
            "template": pod,
        },
    }


def _route(name: str, args: MtaStsHostArgs) -> Manifest:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": metadata(name),
        "spec": {
            "parentRefs": [{"name": args.gateway.name, "sectionName": "https"}],
            "hostnames": [args.hostname],
            "rules": [
                {
                    "matches": [{"path": {"type": "Exact", "value": PATH}}],
                    "backendRefs": [{"name": name, "port": 80, "weight": 1}],
                }
            ],
        },
    }


def build(name: str, parent: pulumi.Resource, args: MtaStsHostArgs) -> pulumi.Output[bool]:
    """Register everything; true once the proxy has the route."""
    on = cluster(args.platform, parent)
    made: list[pulumi.Resource] = []
    for logical, manifest in manifests(name, args).items():
        made.append(on.object(logical, parent, manifest, depends_on=made))
    return pulumi.Output.from_input(made[-1].urn).apply(lambda _: True)
