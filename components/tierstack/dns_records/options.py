"""The choices and typed options of DNSRecords that need nothing of Pulumi: mail providers, policies,
certificates."""

from dataclasses import dataclass, field
from enum import StrEnum

from tierstack.core.keys import within
from tierstack.dns_records.records.model import DEFAULT_TTL, MAX_TTL

LAST_PREFERENCE = 65535
"""The largest preference of an MX record (RFC 1035 §3.3.9)."""
LONGEST_POLICY = 31_557_600
"""Seconds: a year, the longest that an MTA-STS policy may be kept (RFC 8461 §3.2)."""


class MailProvider(StrEnum):
    """Who can receive mail for the domain."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    SES = "ses"
    MAILGUN = "mailgun"
    FASTMAIL = "fastmail"
    OWN_SERVER = "own_server"


class MailgunRegion(StrEnum):
    """Where Mailgun keeps the domain."""

    US = "us"
    EU = "eu"


class SpfPolicy(StrEnum):
    """What SPF says of every other sender (RFC 7208 §8.4, §8.5)."""

    SOFTFAIL = "softfail"
    """`~all`: suspicious; DMARC decides. Forwarded mail with a good DKIM signature still arrives."""
    FAIL = "fail"
    """`-all`: refuse; some receivers then refuse forwarded mail before they look at DKIM."""


class DmarcStage(StrEnum):
    """The steps by which a domain comes to an enforcing DMARC policy (RFC 9989 §4.7)."""

    MONITOR = "monitor"
    """`p=none`: reports only."""
    QUARANTINE_TEST = "quarantine_test"
    """`p=quarantine; t=y`: receivers still deliver, and report what they would have done."""
    QUARANTINE = "quarantine"
    """`p=quarantine`: forged mail goes to the spam folder."""
    REJECT_TEST = "reject_test"
    """`p=reject; t=y`: receivers quarantine."""
    REJECT = "reject"
    """`p=reject`: forged mail is refused."""


class DmarcPolicy(StrEnum):
    """A policy for subdomains or for names that do not exist."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class MtaStsMode(StrEnum):
    """What senders do when TLS to our mail server fails (RFC 8461 §5)."""

    TESTING = "testing"
    """Deliver, and report."""
    ENFORCE = "enforce"
    """Do not deliver."""
    NONE = "none"
    """Forget an earlier policy: the way out."""


class DkimAlgorithm(StrEnum):
    """The kind of a DKIM key pair that the engine makes."""

    RSA = "rsa"
    """RSA of 2048 bits (RFC 8301 §3.2): every receiver verifies it."""
    ED25519 = "ed25519"
    """Ed25519 (RFC 8463): short, and not verified everywhere yet; sign with an RSA key beside it."""


@dataclass(kw_only=True)
class DkimKeyArgs:
    """One DKIM selector of one's own: a key that is given, made here, or published by another; or withdrawn."""

    selector: str
    """The selector under which the key is published, such as `2026a`. It has one key for ever; another key gets
    another."""
    public_key: str | None = None
    """The public key as PEM, base64 or a whole record, RSA (2048 bits; from 1024 with a warning) or Ed25519. None: not
    given."""
    generate: DkimAlgorithm | None = None
    """The kind of key pair that the engine makes; the private half is the output `dkim_signing_keys`. None: none is
    made."""
    target: str | None = None
    """The absolute name under which a sender publishes the key and changes it (a CNAME), with or without its final dot.
    None: a TXT record."""
    withdrawn: bool = False
    """Whether the key is published as withdrawn (an empty p=), and a generated one deleted. Five days after it stopped
    signing at the earliest: mail that it signed is under way for so long."""
    compromised: bool = False
    """Whether others know the private key: it is withdrawn at once, although mail that it signed then fails."""

    @property
    def live(self) -> bool:
        """Whether receivers may trust the key."""
        return not (self.withdrawn or self.compromised)


@dataclass(kw_only=True)
class BrevoArgs:
    """Brevo (transactional and marketing mail). Brevo sends and does not receive."""

    code: str | None = None
    """The 32 hexadecimal digits after `brevo-code:` in Brevo's domain page. None: no such record."""
    dkim_key: str | None = None
    """The value of `mail._domainkey` as Brevo shows it (`k=rsa;p=…`), for accounts that show a TXT record; its key of
    1024 bits is used with a warning. None: two CNAMEs, whose keys Brevo changes."""
    spf: bool = True
    """Whether SPF includes spf.brevo.com (one lookup). Needed with a dedicated address; on shared addresses
    DKIM is enough."""
    reports: bool = True
    """Whether DMARC reports go to Brevo also (rua@dmarc.brevo.com)."""


@dataclass(kw_only=True)
class GoogleMailArgs:
    """Google Workspace."""

    dkim_key: str | None = None
    """The key as the admin console shows it (`v=DKIM1; k=rsa; p=…`, in one or several strings), 2048 bits. None: no key
    yet, with a warning."""
    selector: str = "google"
    """The DKIM selector."""
    verification: str | None = None
    """The token after `google-site-verification=`. None: no such record."""


@dataclass(kw_only=True)
class MicrosoftMailArgs:
    """Microsoft 365."""

    tenant: str
    """The name before `.onmicrosoft.com`, such as `shopexample`."""
    mx_host: str | None = None
    """The mail exchanger that the admin center or Microsoft Graph (`serviceConfigurationRecords`) shows, with or
    without its preference. Domains added since July 2026 have one below `mx.microsoft` that cannot be computed. None:
    the older one below `mail.protection.outlook.com`."""
    dkim_targets: list[str] | None = None
    """The two CNAME targets that the Defender portal shows; domains added since May 2025 have targets that
    cannot be computed. None: the older targets below `<tenant>.onmicrosoft.com`."""
    verification: str | None = None
    """The token `MS=ms12345678`. None: no such record."""
    autodiscover: bool = True
    """Whether to add the CNAME by which Outlook finds the mailbox."""


@dataclass(kw_only=True)
class SesArgs:
    """Amazon SES, with Easy DKIM and a MAIL FROM domain of its own, so that SPF aligns."""

    region: str
    """The region, such as `eu-west-1`."""
    dkim_tokens: list[str]
    """The three tokens of Easy DKIM, or the names or targets of its three CNAMEs."""
    dkim_domain: str | None = None
    """The domain that the CNAMEs lead to, `SigningHostedZone` of `aws sesv2 get-email-identity`. None: that of the
    region in AWS' list, `dkim.amazonses.com` or `dkim.<region>.amazonses.com`."""
    mail_from: str = "bounce"
    """The host below the domain that receives bounces."""


@dataclass(kw_only=True)
class MailgunArgs:
    """Mailgun."""

    dkim_targets: list[str] | None = None
    """The targets of the CNAMEs `pdk1._domainkey` and `pdk2._domainkey` (Automatic Sender Security, the standard for
    new domains). None: `selector` and `dkim_key`."""
    selector: str | None = None
    """The DKIM selector that Mailgun shows beside a TXT record: `pic`, `mx`, `k1`. None: `dkim_targets`."""
    dkim_key: str | None = None
    """The value of that TXT record as Mailgun shows it (`k=rsa; p=…`). None: `dkim_targets`."""
    region: MailgunRegion = MailgunRegion.US
    """Where the domain is kept."""
    tracking_host: str | None = None
    """The host of links in mails, `email`. None: no tracking."""


@dataclass(kw_only=True)
class PostmarkArgs:
    """Postmark. It sends and does not receive; its return path needs no SPF of the domain."""

    selector: str
    """The DKIM selector that Postmark shows, such as `20260101pm`."""
    dkim_key: str
    """The value of the TXT record as Postmark shows it (`k=rsa; p=…`); its key of 1024 bits is used with a warning."""
    return_path: str = "pm-bounces"
    """The host below the domain that receives bounces."""


@dataclass(kw_only=True)
class FastmailArgs:
    """Fastmail: all values follow from the domain."""

    subdomains: bool = False
    """Whether mail to any subdomain is received also (a wildcard MX)."""


@dataclass(kw_only=True)
class OwnMailServerArgs:
    """A mail server of one's own."""

    host: str = "mail"
    """Its host name below the domain, or an absolute name with a final dot."""
    ipv4: list[str] | None = None
    """Its public IPv4 addresses. None: none of its own; the name must get its address elsewhere."""
    ipv6: list[str] | None = None
    """Its public IPv6 addresses. None: it has no IPv6."""
    preference: int = field(default=10, metadata=within(0, LAST_PREFERENCE, told_by="mx-preference"))
    """The preference of its MX record, 0 to 65535; lower is tried first."""
    dkim: list[DkimKeyArgs] | None = None
    """Its DKIM selectors; two, so that one can be changed while the other signs. None: no DKIM, with an
    error."""
    sign_with: list[str] | None = None
    """The selectors with which mail is signed now, each published three hours before. None: the first that is not
    withdrawn."""

    @property
    def signers(self) -> list[str]:
        """The selectors with which mail is signed."""
        if self.sign_with is not None:
            return self.sign_with
        return [key.selector for key in self.dkim or [] if key.live][:1]


@dataclass(kw_only=True)
class MtaStsArgs:
    """MTA-STS: senders use TLS with a valid certificate, or do not send (RFC 8461)."""

    mode: MtaStsMode = MtaStsMode.TESTING
    """Begin with testing, read the TLS reports, then enforce."""
    max_age: int = field(default=604_800, metadata=within(0, LONGEST_POLICY, "seconds", told_by="sts-max-age"))
    """Seconds for which senders keep the policy, 0 to 31557600; a week by default."""
    mx: list[str] | None = None
    """The host patterns of the policy. None: the mail exchangers of the domain."""


@dataclass(kw_only=True)
class BimiArgs:
    """The logo beside the mail; needs an enforcing DMARC stage."""

    logo: str
    """The https URL of the logo as SVG Tiny PS, such as `https://shop.example/bimi.svg`."""
    certificate: str | None = None
    """The https URL of the mark certificate (VMC or CMC) as PEM. None: none, and most providers show no
    logo."""
    selector: str = "default"
    """The BIMI selector."""


@dataclass(kw_only=True)
class MailArgs:
    """Who sends and receives mail for the domain; providers combine."""

    brevo: BrevoArgs | None = None
    """Brevo sends. None: it does not."""
    google: GoogleMailArgs | None = None
    """Google Workspace sends and can receive. None: it does not."""
    microsoft: MicrosoftMailArgs | None = None
    """Microsoft 365 sends and can receive. None: it does not."""
    ses: SesArgs | None = None
    """Amazon SES sends and can receive. None: it does not."""
    mailgun: MailgunArgs | None = None
    """Mailgun sends and can receive. None: it does not."""
    postmark: PostmarkArgs | None = None
    """Postmark sends. None: it does not."""
    fastmail: FastmailArgs | None = None
    """Fastmail sends and can receive. None: it does not."""
    own_server: OwnMailServerArgs | None = None
    """A server of one's own sends and can receive. None: there is none."""
    receive: MailProvider | None = None
    """Who receives. None: the only provider given that is there for mailboxes (Google, Microsoft, Fastmail,
    own server)."""
    spf_policy: SpfPolicy = SpfPolicy.SOFTFAIL
    """What SPF says of every other sender."""
    spf_terms: list[str] | None = None
    """Further terms of SPF: `ip4:192.0.2.7`, `include:_spf.example.net`. None: no further ones."""
    spf_flatten: bool = False
    """Whether includes are replaced by their networks; needs `live_dns`, and an update whenever a provider
    moves."""
    mta_sts: MtaStsArgs | None = None
    """MTA-STS. None: no policy."""
    tls_reports: list[str] | None = None
    """Addresses that receive TLS reports (RFC 8460). None: nobody does."""
    bimi: BimiArgs | None = None
    """BIMI. None: no logo."""


@dataclass(kw_only=True)
class DmarcArgs:
    """The DMARC policy of the domain (RFC 9989)."""

    stage: DmarcStage = DmarcStage.MONITOR
    """The step of the ramp."""
    reports: list[str] | None = None
    """Addresses that receive aggregate reports. None: those of the providers alone."""
    failure_reports: list[str] | None = None
    """Addresses that receive single failures; few receivers send them. None: nobody gets them."""
    failure_options: str | None = None
    """When failures are reported: `1`, `d`, `s` or `1:d:s`. None: only when everything fails (`0`)."""
    subdomains: DmarcPolicy | None = None
    """The policy for subdomains that exist (`sp`). None: that of the domain."""
    nonexistent: DmarcPolicy | None = None
    """The policy for subdomains that do not exist (`np`). None: that of subdomains."""
    accept_reports_of: list[str] | None = None
    """Other domains whose reports addresses of this domain may receive (RFC 9990 §4). None: no other domain's."""
    strict_dkim: bool = False
    """Whether DKIM must sign with exactly the domain of the From line, not one above or below."""
    strict_spf: bool = False
    """Whether the envelope must have exactly the domain of the From line."""


@dataclass(kw_only=True)
class CaaArgs:
    """Who may issue certificates (RFC 8659)."""

    issuers: list[str]
    """Domains of issuers, such as `[letsencrypt.org]`. An empty list: nobody may issue."""
    wildcard_issuers: list[str] | None = None
    """Issuers of wildcards. None: the same; an empty list: nobody."""
    mail_issuers: list[str] | None = None
    """Issuers of S/MIME certificates (RFC 9495). None: not restricted; an empty list: nobody."""
    report_to: str | None = None
    """Where issuers report refused requests: `mailto:security@example.org` or an https URL. None: nowhere."""
    account_uri: str | None = None
    """The URL of the one ACME account that may ask (RFC 8657). None: any account."""
    validation_methods: list[str] | None = None
    """The ACME methods that may prove control: `dns-01`. None: any."""


@dataclass(kw_only=True)
class DnsRecordArgs:
    """A record set of one's own."""

    name: str
    """The name below the domain, `@` for the domain itself, or an absolute name with a final dot."""
    type: str
    """The type: A, AAAA, CAA, CNAME, DS, HTTPS, MX, NS, PTR, SRV, SSHFP, SVCB, TLSA or TXT."""
    values: list[str]
    """Presentation format, one for each record, such as `[203.0.113.10]`; of TXT the text, quoted or not."""
    ttl: int | None = field(default=None, metadata=within(0, MAX_TTL, "seconds", told_by="ttl-range"))
    """Seconds. 0 to 2147483647. None: the TTL of the zone."""


@dataclass(kw_only=True)
class CertificateArgs:
    """The issuer of the domain's certificates, so that CAA and TLS agree."""

    issuer: str
    """The issuer's CAA domain, such as `letsencrypt.org`."""
    names: list[str] | None = None
    """The names on the certificates; `*.example.org` for a wildcard. None: the web hosts."""
    account_uri: str | None = None
    """The URL of the ACME account that asks. None: not checked."""
    validation_method: str | None = None
    """The ACME method in use, `http-01` or `dns-01`. None: not checked."""


ZONE_TTL = DEFAULT_TTL
"""Seconds: the TTL of records that state none."""
