"""TLS: a certificate for the hostnames of a site, renewed in time."""

import pulumi

from tierstack.links import Certificate
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component
from tierstack.platform.program import NameRule
from tierstack.platform.shared import current_run
from tierstack.tls import alerts, docker, kubernetes
from tierstack.tls.args import TLSArgs
from tierstack.tls.options import ACMEArgs, ExternalAccountArgs, GivenCertificateArgs, LocalCAArgs

__all__ = ["TLS", "ACMEArgs", "ExternalAccountArgs", "GivenCertificateArgs", "LocalCAArgs", "TLSArgs"]


class TLS(Component):
    """One certificate for the hostnames of a site; hand `certificate` to a Gateway."""

    names = NameRule(docker=63, kubernetes=63)

    certificate_pem: pulumi.Output[str | None]
    """Docker: the certificate in PEM, as servers send it. None on Kubernetes, where the Secret holds it, and with
    `acme`, where the proxy does."""
    ca_pem: pulumi.Output[str | None]
    """Docker: the certificate of the local CA in PEM, for clients to trust. None elsewhere."""
    secret_name: pulumi.Output[str | None]
    """Kubernetes: the Secret with `tls.crt`, `tls.key` and, with a local CA, `ca.crt`. None on Docker."""
    certificate: Certificate
    """The certificate: what a Gateway takes as `certificate`."""
    alert_rules: pulumi.Output[str]
    """Alerting rules as YAML for Prometheus: a certificate that is not renewed in time, or that nothing reports."""

    def __init__(self, name: str, args: TLSArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every problem of the arguments; nothing is registered then."""
        loaded = self.begin(name, args, TLSArgs, opts)
        if loaded.given:
            from tierstack.tls import given  # what it needs to read certificates takes long to import

            for one in given.advice(loaded.given, loaded.renew_before_percent):
                if one.code not in current_run().settled:
                    pulumi.log.warn(one.line, self)
        build = docker.build if loaded.platform.kind is PlatformKind.DOCKER else kubernetes.build
        self.certificate = build(self.physical_name, self, loaded)
        self.finish(
            {
                "certificate_pem": self.certificate.certificate_pem,
                "ca_pem": self.certificate.ca_pem,
                "secret_name": self.certificate.secret_name,
                "alert_rules": alerts.text(name, loaded),
            }
        )
