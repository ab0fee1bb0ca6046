"""A CA of cert-manager and a certificate that it signs."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import ORDER


def authority(
    owner: str, leaf: str, kind: str, names: list[str], marks: dict[str, str], opts: pulumi.ResourceOptions
) -> None:
    """Two issuers, the CA, and the certificate `owner`-`leaf` for `names`."""
    k8s.apiextensions.CustomResource(
        f"{owner}-self-signed",
        api_version="cert-manager.io/v1",
        kind="Issuer",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"{owner}-self-signed", labels=marks, annotations=ORDER["2"]
        ),
        spec={"selfSigned": {}},
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"{owner}-ca-certificate",
        api_version="cert-manager.io/v1",
        kind="Certificate",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"{owner}-ca",
            labels=marks,
            annotations=ORDER["3"],
        ),
        spec={
            "issuerRef": {"kind": "Issuer", "group": "cert-manager.io", "name": f"{owner}-self-signed"},
            "duration": "87600h0m0s",
            "isCA": True,
            "commonName": f"bench {owner} {kind} CA",
            "secretName": f"{owner}-ca",
            "privateKey": {"rotationPolicy": "Never", "encoding": "PKCS8", "algorithm": "ECDSA", "size": 256},
            "subject": {"organizations": ["tierstack"]},
            "renewBefore": "2160h0m0s",
            "usages": ["cert sign", "crl sign"],
            "revisionHistoryLimit": 1,
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"{owner}-ca",
        api_version="cert-manager.io/v1",
        kind="Issuer",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"{owner}-ca", labels=marks, annotations=ORDER["2"]
        ),
        spec={"ca": {"secretName": f"{owner}-ca"}},
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"{owner}-{leaf}",
        api_version="cert-manager.io/v1",
        kind="Certificate",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"{owner}-{leaf}",
            labels=marks,
            annotations=ORDER["3"],
        ),
        spec={
            "issuerRef": {"kind": "Issuer", "group": "cert-manager.io", "name": f"{owner}-ca"},
            "renewBeforePercentage": 34,
            "duration": "2160h0m0s",
            "secretName": f"{owner}-{leaf}",
            "privateKey": {"rotationPolicy": "Always", "encoding": "PKCS8", "algorithm": "ECDSA", "size": 256},
            "dnsNames": names,
            "usages": ["digital signature", "server auth"],
            "revisionHistoryLimit": 1,
        },
        opts=opts,
    )
