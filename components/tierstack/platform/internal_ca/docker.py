"""The internal CA on a Docker host: made by the engine, its keys secrets of the state, handed over as files in volumes.

The order in which a change arrives: the file of what clients trust, then the certificates of servers, then a reload of
those servers. So a new CA is trusted before the first certificate of it is shown.
"""

import hashlib
from collections.abc import Sequence

import pulumi
import pulumi_tls as tls

from tierstack.links import TrustedCA
from tierstack.platform.docker import Host
from tierstack.platform.internal_ca import CA_DAYS, CA_FILE, CERTIFICATE, CERTIFICATE_DAYS, KEY

_HOURS_PER_DAY = 24


class Authority:
    """The CA of one component, and the volume in which its clients find what they trust."""

    def __init__(
        self,
        name: str,
        parent: pulumi.Resource,
        on: Host,
        *,
        generation: int,
        image: pulumi.Input[str],
        owner: tuple[int, int],
    ) -> None:
        """`image` writes the files (see `Host.files`). Beside the CA of this generation, the one before is trusted."""
        self.name, self.parent, self.on, self.image = name, parent, on, image
        known = [self._made(number) for number in range(max(1, generation - 1), generation + 1)]
        self._key, self._ca = known[-1]
        self.bundle: pulumi.Output[str] = pulumi.Output.concat(*(ca.cert_pem for _, ca in known))
        """The certificates of the CAs that clients trust, in PEM."""
        self.written = on.files(
            f"{name}-ca-files",
            parent,
            volume=on.volume(f"{name}-ca", parent, data=False),
            files={CA_FILE: self.bundle},
            image=image,
            owner=owner,
            mode=0o444,
        )

    @property
    def trusted(self) -> TrustedCA:
        """What clients are given."""
        return TrustedCA(volume=self.written.volume)

    def _made(self, generation: int) -> tuple[tls.PrivateKey, tls.SelfSignedCert]:
        opts = pulumi.ResourceOptions(parent=self.parent)
        name = f"{self.name}-ca-{generation}"
        key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=opts)
        ca = tls.SelfSignedCert(
            name,
            private_key_pem=key.private_key_pem,
            # Another name for another key: whoever verifies finds the right one of two by it (RFC 5280 section 6.1).
            subject={"common_name": self.on.name(name)[:64], "organization": "tierstack"},
            is_ca_certificate=True,
            set_subject_key_id=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=CA_DAYS * _HOURS_PER_DAY,
            early_renewal_hours=CERTIFICATE_DAYS * _HOURS_PER_DAY,
            opts=opts,
        )
        return key, ca

    def server(
        self, name: str, dns_names: list[str], owner: tuple[int, int], *, after: Sequence[pulumi.Resource] = ()
    ) -> "ServerCertificate":
        """A certificate for a server that clients call by `dns_names`, its files in a volume of `owner`."""
        opts = pulumi.ResourceOptions(parent=self.parent)
        key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=opts)
        request = tls.CertRequest(
            f"{name}-request",
            private_key_pem=key.private_key_pem,
            dns_names=dns_names,
            subject={"common_name": dns_names[0]},
            opts=opts,
        )
        signed = tls.LocallySignedCert(
            f"{name}-certificate",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self._key.private_key_pem,
            ca_cert_pem=self._ca.cert_pem,
            set_subject_key_id=True,
            allowed_uses=["digital_signature", "server_auth"],
            validity_period_hours=CERTIFICATE_DAYS * _HOURS_PER_DAY,
            early_renewal_hours=CERTIFICATE_DAYS * _HOURS_PER_DAY // 3,
            opts=opts,
        )
        written = self.on.files(
            f"{name}-files",
            self.parent,
            volume=self.on.volume(name, self.parent, data=False),
            files={CERTIFICATE: signed.cert_pem, KEY: key.private_key_pem},
            image=self.image,
            owner=owner,
            depends_on=[self.written, *after],
        )
        return ServerCertificate(written.volume, fingerprint(signed.cert_pem))


class ServerCertificate:
    """A certificate in a volume."""

    def __init__(self, volume: pulumi.Output[str], fingerprint: pulumi.Output[str]) -> None:
        self.volume = volume
        """Volume with `tls.crt` and `tls.key`, known once they are there."""
        self.fingerprint = fingerprint
        """Changes with the certificate: what a reload is triggered by."""


def fingerprint(pem: pulumi.Output[str]) -> pulumi.Output[str]:
    """SHA-256 of a text in PEM. Certificates are public, whatever the engine thinks of what they were made from."""
    return pulumi.Output.unsecret(pem.apply(lambda text: hashlib.sha256(text.encode()).hexdigest()))
