"""What each addon is (pure): its version, the vendor's files with their checksums, its CRDs and images.

The files are those of the vendor's own release tag. Where a release is a single rendered manifest that is not in the
vendor's repository, its checksum is not known here (None): a user gives it in `checksums`, or the file in `manifests`.
"""

from dataclasses import dataclass
from enum import Enum

from tierstack.platform.kubernetes import operators

_RAW = "https://raw.githubusercontent.com"
_RELEASES = "https://github.com/{}/releases/download/{}"


class Addon(Enum):
    """What tierstack needs in a cluster beside Kubernetes itself."""

    GATEWAY_API = "gateway-api"
    """The resources of the Gateway API (standard channel)."""
    TRAEFIK = "traefik"
    """Traefik as controller of the Gateway API: GatewayClass `traefik`. Needs `gateway-api`."""
    CERT_MANAGER = "cert-manager"
    """Certificates: TLS, and the barman-cloud plugin. After `gateway-api`, where that is installed."""
    CLOUDNATIVE_PG = "cloudnative-pg"
    """PostgreSQL clusters: DatabaseWithReplicas."""
    BARMAN_CLOUD = "barman-cloud"
    """Backups of PostgreSQL to an object store: BackupSchedule. Needs `cert-manager` and `cloudnative-pg`."""
    ARGO_ROLLOUTS = "argo-rollouts"
    """Releases in steps, with rollback; for workloads of your own."""
    KEDA = "keda"
    """Scaling of roles by what waits in their queue: `queue` in `roles` of AppCluster."""
    EXTERNAL_SECRETS = "external-secrets"
    """Secrets of rendered manifests, made or fetched inside the cluster."""
    PROMETHEUS_OPERATOR = "prometheus-operator"
    """The resources of the Prometheus Operator; only these, not the operator."""
    METRICS_SERVER = "metrics-server"
    """CPU and memory of pods, for autoscaling. Managed clusters bring their own."""


@dataclass(frozen=True)
class Source:
    """One file of a vendor."""

    url: str
    sha256: str | None
    """Of the whole file; None: not known here."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One addon in the version that tierstack is made for."""

    version: str
    sources: tuple[Source, ...]
    namespace: str | None = None
    """Where its pods run; None: it has none."""
    pod_security: str | None = "restricted"
    """Pod Security Standard that its namespace enforces; None: the namespace is not ours."""
    crds: tuple[str, ...] = ()
    """The resources that tierstack writes: what is asked for where addons exist already."""
    released: tuple[tuple[str, str], ...] = ()
    """Images that the vendor's files name by a moving tag, and the released image that is meant."""
    needs: tuple[Addon, ...] = ()
    """What is made before it, where it is installed."""


def _raw(repository: str, tag: str, files: dict[str, str]) -> tuple[Source, ...]:
    return tuple(Source(f"{_RAW}/{repository}/{tag}/{path}", sha256) for path, sha256 in files.items())


def _asset(repository: str, tag: str, name: str) -> tuple[Source, ...]:
    return (Source(f"{_RELEASES.format(repository, tag)}/{name}", None),)


_CRDS = "config/crd/standard/gateway.networking.k8s.io_"
_PROMETHEUS = "example/prometheus-operator-crd/monitoring.coreos.com_"

CATALOG: dict[Addon, Release] = {
    Addon.GATEWAY_API: Release(
        version="1.5.1",
        sources=_raw(
            "kubernetes-sigs/gateway-api",
            "v1.5.1",
            {
                f"{_CRDS}backendtlspolicies.yaml": "9b8818172153d72f9c84032db0be0a4a657277d13f5bbc22226ad9481ff57971",
                f"{_CRDS}gatewayclasses.yaml": "234ad4b2757ee1b3596a4187bb98df071c5bbdd9e1806f692f2dbf8387e6bef4",
                f"{_CRDS}gateways.yaml": "7416e8300eb4d8c0a71a23445609075bbacbe8bc80104584b019cfe1ebe77c31",
                f"{_CRDS}grpcroutes.yaml": "979f4125d44d3df24659ba00d1d04ff8e76c45423193e8aae82dd5810d7827df",
                f"{_CRDS}httproutes.yaml": "682203b109baecb18d38073a578f7bc2c17d22fe9b0c27bf030850abe014c370",
                f"{_CRDS}listenersets.yaml": "9221468d19fdfbb0026113b1ef64abac64f27607975aff2410361b8b38f0e0bb",
                f"{_CRDS}referencegrants.yaml": "a8902c486eed0b7339f5bb8a476ccaba0918eb038048402bdc01cbb69b0fbb51",
                f"{_CRDS}tlsroutes.yaml": "818e4827c469a40e2527a2851591e656782c50fea8dd44812c900d219da09345",
            },
        ),
        pod_security=None,
        crds=("gateways.gateway.networking.k8s.io", "httproutes.gateway.networking.k8s.io"),
    ),
    Addon.TRAEFIK: Release(
        version="3.7.13",
        sources=_raw(
            "traefik/traefik",
            "v3.7.13",
            {
                "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml": (
                    "1d5e8558803804562238b0d4a57174aadd6d87c36e3c4c55199ebcc356a9406c"
                ),
            },
        ),
        namespace=operators.TRAEFIK,
        crds=("middlewares.traefik.io",),
        needs=(Addon.GATEWAY_API,),
    ),
    Addon.CERT_MANAGER: Release(
        version="1.21.2",
        sources=_asset("cert-manager/cert-manager", "v1.21.2", "cert-manager.yaml"),
        namespace=operators.CERT_MANAGER,
        crds=("certificates.cert-manager.io", "issuers.cert-manager.io"),
        needs=(Addon.GATEWAY_API,),  # it looks for them when it starts
    ),
    Addon.CLOUDNATIVE_PG: Release(
        version="1.30.1",
        sources=_raw(
            "cloudnative-pg/cloudnative-pg",
            "v1.30.1",
            {
                "releases/cnpg-1.30.1.yaml": "37237f145d8138256ea25ae830f87759255665ff08f8d552fdd8224a5ec032fb",
            },
        ),
        namespace=operators.CLOUDNATIVE_PG,
        crds=tuple(
            f"{kind}.postgresql.cnpg.io" for kind in ("clusters", "databaseroles", "poolers", "scheduledbackups")
        ),
    ),
    Addon.BARMAN_CLOUD: Release(
        version="0.15.0",
        sources=_raw(
            "cloudnative-pg/plugin-barman-cloud",
            "v0.15.0",
            {
                "manifest.yaml": "a1d8c5315be2fb87d2bfebbdfd32507edba55a837e5c24a4158c5839014525e8",
            },
        ),
        namespace=operators.CLOUDNATIVE_PG,
        pod_security=None,  # the namespace is CloudNativePG's, which it needs
        crds=("objectstores.barmancloud.cnpg.io",),
        released=(
            (
                "ghcr.io/cloudnative-pg/plugin-barman-cloud-testing",
                "ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.15.0",
            ),
            (
                "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar-testing",
                "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v0.15.0",
            ),
        ),
        needs=(Addon.CERT_MANAGER, Addon.CLOUDNATIVE_PG),
    ),
    Addon.ARGO_ROLLOUTS: Release(
        version="1.9.1",
        sources=_raw(
            "argoproj/argo-rollouts",
            "v1.9.1",
            {
                "manifests/install.yaml": "2701f5ff276e2a41b41d4d7cf8beeb7a62c6c850a34b71f031a29bbb656d543b",
            },
        ),
        namespace=operators.ARGO_ROLLOUTS,
        crds=("rollouts.argoproj.io", "analysistemplates.argoproj.io"),
        released=(("quay.io/argoproj/argo-rollouts", "quay.io/argoproj/argo-rollouts:v1.9.1"),),
    ),
    Addon.KEDA: Release(
        version="2.21.0",
        sources=_asset("kedacore/keda", "v2.21.0", "keda-2.21.0.yaml"),
        namespace=operators.KEDA,
        crds=("scaledobjects.keda.sh", "triggerauthentications.keda.sh"),
        released=tuple(
            (f"ghcr.io/kedacore/{name}", f"ghcr.io/kedacore/{name}:2.21.0")
            for name in ("keda", "keda-metrics-apiserver", "keda-admission-webhooks")
        ),
    ),
    Addon.EXTERNAL_SECRETS: Release(
        version="2.9.0",
        sources=_asset("external-secrets/external-secrets", "v2.9.0", "external-secrets.yaml"),
        namespace=operators.EXTERNAL_SECRETS,
        crds=("externalsecrets.external-secrets.io", "passwords.generators.external-secrets.io"),
    ),
    Addon.PROMETHEUS_OPERATOR: Release(
        version="0.86.1",
        sources=_raw(
            "prometheus-operator/prometheus-operator",
            "v0.86.1",
            {
                f"{_PROMETHEUS}alertmanagerconfigs.yaml": (
                    "fbdff50ae54d81c238eacf4720873fbcb1d8b66015f7182830cd4c45207c5450"
                ),
                f"{_PROMETHEUS}alertmanagers.yaml": "a00fda4d434c4e1e2f06e2dbedda43fe22d9c78e71aeed54cb5d06af0c386577",
                f"{_PROMETHEUS}podmonitors.yaml": "a33ae32ff1227cd51d9e60c5d501d5ebbd2b249324e423c5edc58e5b95d9efce",
                f"{_PROMETHEUS}probes.yaml": "44aca0238ea28db16574cc79c58b65954452d06b6a7e4524292a183b322cba10",
                f"{_PROMETHEUS}prometheusagents.yaml": (
                    "3bd4681f7d7984c86f8dd7871793223c599498516ee37be3cd5650ede3f50bdc"
                ),
                f"{_PROMETHEUS}prometheuses.yaml": "2f561ad91e718347bf55bb1b3a4d75dba061db99d063417c3fb2e60f479d5b85",
                f"{_PROMETHEUS}prometheusrules.yaml": (
                    "dae50fd386c7228aba2ef994e87c0ee0800707c3067123150d0033f007aeef24"
                ),
                f"{_PROMETHEUS}scrapeconfigs.yaml": "a10745b340e077616cecd2e306aac3124820bb90f46e321c1a5f71c137d074ad",
                f"{_PROMETHEUS}servicemonitors.yaml": (
                    "83018c89a96917ebb1e03bf4917b2562883ca493b641b8c37f6034d2137136d2"
                ),
                f"{_PROMETHEUS}thanosrulers.yaml": "52f5e06cd5fe874a75bb29761236dfb4220e3d0ef5609f0b5f92eb60f892317c",
            },
        ),
        pod_security=None,
        crds=(
            "podmonitors.monitoring.coreos.com",
            "prometheusrules.monitoring.coreos.com",
            "servicemonitors.monitoring.coreos.com",
        ),
    ),
    Addon.METRICS_SERVER: Release(
        version="0.8.0",
        sources=_asset("kubernetes-sigs/metrics-server", "v0.8.0", "components.yaml"),
        namespace=operators.METRICS_SERVER,
        pod_security=None,
    ),
}
"""Every addon, in the order of installing: what one needs stands before it."""

TRAEFIK_IMAGE = "docker.io/library/traefik:v3.7.13"
"""Traefik has no release manifest (its chart only), so tierstack writes its objects; this is the vendor's image."""
