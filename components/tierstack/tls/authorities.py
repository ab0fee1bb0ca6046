"""What public CAs call themselves in CAA records (RFC 8659 section 4.2), by the host of their ACME directory (pure)."""

from urllib.parse import urlsplit

CAA_NAMES: dict[str, str] = {
    # "Certificate Authority Authorization (CAA)", letsencrypt.org/docs/caa; staging checks the same name.
    "acme-v02.api.letsencrypt.org": "letsencrypt.org",
    "acme-staging-v02.api.letsencrypt.org": "letsencrypt.org",
    # "DNS debugging", developers.google.com/public-key-infrastructure/dns-debugging
    "dv.acme-v02.api.pki.goog": "pki.goog",
    "dv.acme-v02.test-api.pki.goog": "pki.goog",
    # ZeroSSL's certificates come from Sectigo, see dns_records.caa.ISSUERS.
    "acme.zerossl.com": "sectigo.com",
    # "Configure CAA records to authorize SSL.com", ssl.com/how-to
    "acme.ssl.com": "ssl.com",
}


def caa_name(directory: str) -> str | None:
    """The name of the CA whose directory this is; None where it is not known."""
    return CAA_NAMES.get((urlsplit(directory).hostname or "").lower())
