"""TLS: a certificate for the hostnames of a site, renewed in time."""

from tierstack.tls.args import Issuer, TLSArgs

__all__ = ["Issuer", "TLSArgs"]
