"""The values that mail providers ask for, each with the provider's page, with what it was compared, and when (pure).
Providers move: a value that nobody has looked at for a year fails a test."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_BREVO = "https://developers.brevo.com/docs/domain-authentication-and-verification"
_GOOGLE = "https://support.google.com/a/answer"
_MICROSOFT = "https://learn.microsoft.com/en-us"
_MICROSOFT_RECORDS = f"{_MICROSOFT}/microsoft-365/enterprise/external-domain-name-system-records"
_AWS = "https://docs.aws.amazon.com"
_MAILGUN = "https://documentation.mailgun.com/docs/mailgun/user-manual/domains/domains-verify"
_POSTMARK = "https://postmarkapp.com/support/article/1046-how-do-i-verify-a-domain"
_FASTMAIL = "https://www.fastmail.help/hc/en-us/articles/360060591153"

_LOOKED_AT = date(2026, 11, 26)


class Evidence(StrEnum):
    """With what a value was compared."""

    PAGE = "page"
    """With the text of the page."""
    SECOND_HAND = "second hand"
    """With others who show the value: customers' records, guides, templates. The page itself was not read."""
    NONE = "not verified"
    """With nothing."""


@dataclass(frozen=True)
class VendorValue:
    """One value that a provider shows to its customers."""

    value: str
    """Presentation format; `{domain}`, `{dashed}` (hyphens for dots), `{n}`, `{tenant}`, `{region}`, `{token}` and the
    like stand for what differs between customers."""
    page: str
    """Address of the page that shows it, or, by the provider's own index, should."""
    evidence: Evidence
    compared: date = _LOOKED_AT
    """When the value was last compared."""


_PAGE, _SECOND_HAND, _NONE = Evidence.PAGE, Evidence.SECOND_HAND, Evidence.NONE

VALUES: dict[str, VendorValue] = {
    "brevo.code": VendorValue("brevo-code:{code}", _BREVO, _PAGE),
    "brevo.dkim_selector": VendorValue("mail", _BREVO, _PAGE),
    "brevo.dkim_alias": VendorValue("b{n}.{dashed}.dkim.brevo.com.", _BREVO, _SECOND_HAND),
    "brevo.spf": VendorValue("include:spf.brevo.com", _BREVO, _NONE),
    "brevo.reports": VendorValue("rua@dmarc.brevo.com", "https://developers.brevo.com/changelog/2024/4/9", _PAGE),
    "google.mx": VendorValue("1 smtp.google.com.", f"{_GOOGLE}/174125", _SECOND_HAND),
    "google.spf": VendorValue("include:_spf.google.com", f"{_GOOGLE}/33786", _SECOND_HAND),
    "google.verification": VendorValue("google-site-verification={token}", f"{_GOOGLE}/183895", _SECOND_HAND),
    "microsoft.mx": VendorValue("0 {dashed}.mail.protection.outlook.com.", _MICROSOFT_RECORDS, _PAGE),
    "microsoft.spf": VendorValue("include:spf.protection.outlook.com", _MICROSOFT_RECORDS, _PAGE),
    "microsoft.dkim_alias": VendorValue(
        "selector{n}-{dashed}._domainkey.{tenant}.onmicrosoft.com.",
        f"{_MICROSOFT}/defender-office-365/email-authentication-dkim-configure",
        _SECOND_HAND,
    ),
    "microsoft.verification": VendorValue("MS={token}", _MICROSOFT_RECORDS, _SECOND_HAND),
    "microsoft.autodiscover": VendorValue("autodiscover.outlook.com.", _MICROSOFT_RECORDS, _PAGE),
    "ses.mx": VendorValue(
        "10 inbound-smtp.{region}.amazonaws.com.", f"{_AWS}/general/latest/gr/ses.html", _SECOND_HAND
    ),
    "ses.dkim_alias": VendorValue("{token}.{zone}.", f"{_AWS}/goto/WebAPI/email/VerifyDomainDkim", _PAGE),
    "ses.mail_from_mx": VendorValue(
        "10 feedback-smtp.{region}.amazonses.com.", f"{_AWS}/ses/latest/dg/mail-from.html", _SECOND_HAND
    ),
    "ses.mail_from_spf": VendorValue(
        "v=spf1 include:amazonses.com ~all", f"{_AWS}/ses/latest/dg/mail-from.html", _SECOND_HAND
    ),
    "ses.dkim_domains": VendorValue("dkim.amazonses.com", f"{_AWS}/goto/WebAPI/email/VerifyDomainDkim", _PAGE),
    "mailgun.mx_us": VendorValue("10 mxa.mailgun.org.,10 mxb.mailgun.org.", _MAILGUN, _PAGE),
    "mailgun.mx_eu": VendorValue("10 mxa.eu.mailgun.org.,10 mxb.eu.mailgun.org.", _MAILGUN, _SECOND_HAND),
    "mailgun.spf": VendorValue("include:mailgun.org", _MAILGUN, _PAGE),
    "mailgun.dkim_alias": VendorValue(
        "pdk{n}._domainkey",
        "https://documentation.mailgun.com/docs/mailgun/user-manual/domains/dkim_security",
        _SECOND_HAND,
    ),
    "mailgun.tracking_us": VendorValue("mailgun.org.", _MAILGUN, _PAGE),
    "mailgun.tracking_eu": VendorValue("eu.mailgun.org.", _MAILGUN, _SECOND_HAND),
    "postmark.return_path": VendorValue("pm.mtasv.net.", _POSTMARK, _SECOND_HAND),
    "fastmail.mx": VendorValue(
        "10 in1-smtp.messagingengine.com.,20 in2-smtp.messagingengine.com.", _FASTMAIL, _SECOND_HAND
    ),
    "fastmail.spf": VendorValue("include:spf.messagingengine.com", _FASTMAIL, _SECOND_HAND),
    "fastmail.dkim_alias": VendorValue("fm{n}.{domain}.dkim.fmhosted.com.", _FASTMAIL, _PAGE),
}
"""By provider and what it is for. Where a provider shows several values of one record set, a comma stands between."""


def value(name: str, **parts: object) -> str:
    """The value `name` with the customer's parts filled in."""
    return VALUES[name].value.format(**parts)


def values(name: str, **parts: object) -> list[str]:
    """The values of one record set."""
    return value(name, **parts).split(",")


SES_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "us-gov-west-1"),
    *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "me-south-1"),
    *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2"),
)
"""Regions whose DKIM domain is that of `ses.dkim_domains`."""
SES_OWN_DKIM_DOMAIN = (
    *("af-south-1", "ap-northeast-3", "ap-south-2", "ap-southeast-3", "ap-southeast-5", "ca-west-1"),
    *("eu-central-2", "eu-south-1", "il-central-1", "me-central-1", "us-gov-east-1"),
)
"""Regions that have a DKIM domain of their own, `dkim.<region>.amazonses.com`: the table "DKIM domains" of AWS' General
Reference (docs.aws.amazon.com/general/latest/gr/ses.html), at second hand."""


def ses_dkim_domain(region: str) -> str | None:
    """The domain below which Amazon SES publishes the keys of a region; None where it is not known."""
    if region in SES_OWN_DKIM_DOMAIN:
        return f"dkim.{region}.amazonses.com"
    return VALUES["ses.dkim_domains"].value if region in SES_REGIONS else None
