"""Keys of other namespaces than the project's that were most likely meant for it: nothing would read them. Pure."""

import difflib
from collections.abc import Collection, Sequence

from tierstack.core.errors import MISSING, Diagnostic, declare, nearest

_WORDS = """
aiven akamai alicloud artifactory auth0 aws aws-native azure azure-native azuread azuredevops
checkly civo cloudamqp cloudflare confluentcloud consul databricks datadog digitalocean dnsimple
docker docker-build ec eks exoscale fastly gandi gcp github gitlab google-native grafana hcloud
heroku keycloak kong kubernetes linode minio mongodbatlas mysql netlify newrelic nomad ns1 null oci
okta openstack opsgenie ovh pagerduty postgresql powerdns proxmoxve pulumi pulumiservice rabbitmq
random rancher2 rediscloud scaleway sentry snowflake tailscale tierstack tls upstash vault venafi
vercel vsphere vultr
"""
PROVIDERS = frozenset(_WORDS.split())
"""Namespaces of the engine and its providers (Pulumi Registry, 2026), whose keys may be called as a setting is."""
_UNAMBIGUOUS = frozenset({"docker", "kubernetes"})
"""Providers that have no key of a setting's name: `docker:app` can only mean the section `docker` of the project."""
declare(
    "unknown-namespace",
    "Settings must stand in the namespace of the project.",
    wrong="docker:app: {replicas: 2}",
    right="shop:docker: {app: {replicas: 2}}",
)
_LIKE = 0.75
"""Similarity of a slip: one letter of four is left out, doubled or swapped."""


def split(key: str) -> tuple[str, str]:
    """(namespace, name) of a key of the configuration; the namespace is empty where it has none.

    `shop:config:tier` is the engine's older way to write `shop:tier`.
    """
    namespace, _, name = key.rpartition(":")
    return namespace.removesuffix(":config"), name


def problems(keys: Sequence[str], project: str, settings: Collection[str]) -> list[Diagnostic]:
    """The keys of other namespaces in `keys` that name a setting, or whose namespace is nearly the project's name."""
    found: list[Diagnostic] = []
    for key in keys:
        namespace, name = split(key)
        if namespace in ("", project) or (namespace in PROVIDERS and namespace not in _UNAMBIGUOUS):
            continue
        if name in settings:
            inside = (
                f"write `{project}:{namespace}` with `{name}` in it, or " if namespace in _UNAMBIGUOUS else "write "
            )
            hint = f"{inside}`{project}:{name}`"
        elif namespace not in PROVIDERS and _is_slip(namespace, project):
            hint = f"write `{project}:{nearest(name, settings) or name}`"
        else:
            continue
        wrong = f"is not read: its namespace is `{namespace}`, and that of the project is `{project}`"
        found.append(Diagnostic(key, MISSING, wrong, hint, "unknown-namespace"))
    return found


def _is_slip(namespace: str, project: str) -> bool:
    a, b = namespace.lower(), project.lower()
    return abs(len(a) - len(b)) <= 1 and difflib.SequenceMatcher(None, a, b).ratio() >= _LIKE
