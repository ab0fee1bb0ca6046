"""Defaults that an API server adds inside lists (pure).

A field that the server adds to a map does not count as a difference, because only the fields of the file are compared.
A list is compared whole, so that a default inside it would be a difference for ever: in Argo CD's diff, in
`kubectl diff`, and in every `kubectl apply`.
"""

from tierstack.platform.kubernetes.manifest import Manifest

_GATEWAY_API = "gateway.networking.k8s.io"
# CRDs of External Secrets, Gateway API and CloudNativePG: `default:` of the fields named.
_PARENT = {"group": _GATEWAY_API, "kind": "Gateway"}
_BACKEND = {"group": "", "kind": "Service", "weight": 1}
_CERTIFICATE = {"group": "", "kind": "Secret"}
_REMOTE = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}
_PLUGIN = {"enabled": True}
_ORIGIN = {"enabled": True, "isWALArchiver": False}
_CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}


def written_out(manifest: Manifest) -> Manifest:
    """`manifest` with what the API server would add inside its lists; the argument is not changed."""
    kind, spec = manifest["kind"], manifest.get("spec")
    change = _KINDS.get(kind)
    return {**manifest, "spec": change(dict(spec))} if change and spec else manifest


def _route(spec: Manifest) -> Manifest:
    spec["parentRefs"] = [{**_PARENT, **one} for one in spec["parentRefs"]]
    spec["rules"] = [
        {**rule, "backendRefs": [{**_BACKEND, **one} for one in rule["backendRefs"]]} if "backendRefs" in rule else rule
        for rule in spec["rules"]
    ]
    return spec


def _gateway(spec: Manifest) -> Manifest:
    spec["listeners"] = [
        {**one, "tls": {**one["tls"], "certificateRefs": [{**_CERTIFICATE, **ref} for ref in refs]}}
        if (refs := one.get("tls", {}).get("certificateRefs"))
        else one
        for one in spec["listeners"]
    ]
    return spec


def _external_secret(spec: Manifest) -> Manifest:
    if "data" in spec:
        spec["data"] = [{**one, "remoteRef": {**_REMOTE, **one["remoteRef"]}} for one in spec["data"]]
    return spec


def _cluster(spec: Manifest) -> Manifest:
    if "plugins" in spec:
        spec["plugins"] = [{**_PLUGIN, **one} for one in spec["plugins"]]
    if "externalClusters" in spec:
        spec["externalClusters"] = [{**one, "plugin": {**_ORIGIN, **one["plugin"]}} for one in spec["externalClusters"]]
    return spec


def _stateful_set(spec: Manifest) -> Manifest:
    spec["volumeClaimTemplates"] = [
        {**_CLAIM, **one, "spec": {"volumeMode": "Filesystem", **one["spec"]}} for one in spec["volumeClaimTemplates"]
    ]
    return spec


_KINDS = {
    "HTTPRoute": _route,
    "Gateway": _gateway,
    "ExternalSecret": _external_secret,
    "Cluster": _cluster,
    "StatefulSet": _stateful_set,
}
