"""Namespaces in which the operators of a cluster and its proxy run, as their vendors' manifests name them.

ClusterAddons installs them there. A component whose network policies must let one of them in has an argument for a
cluster where it runs elsewhere; these are the defaults.
"""

ARGO_ROLLOUTS = "argo-rollouts"
CERT_MANAGER = "cert-manager"
CLOUDNATIVE_PG = "cnpg-system"
"""CloudNativePG and its barman-cloud plugin, which must be in one namespace."""
EXTERNAL_SECRETS = "external-secrets"
KEDA = "keda"
METRICS_SERVER = "kube-system"
TRAEFIK = "traefik"
