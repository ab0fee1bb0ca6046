"""Whether an environment variable holds a secret in plaintext (pure): by its name and its value.

A rule with false alarms is ignored altogether, so both must speak for it: `PUSHER_APP_KEY` is public,
`AUTH_PASSWORD_BROKER` is a setting, and `/run/secrets/db` is where a secret is, and not the secret.
"""

import re
from urllib.parse import urlsplit

_SECRET_VALUES = re.compile(
    r"sk_live_|sk_test_|rk_live_|rk_test_|whsec_"  # Stripe
    r"|gh[pousr]_\w{20}|github_pat_|glpat-"  # GitHub, GitLab
    r"|xox[abps]-|xkeysib-|xsmtpsib-|re_\w{8,}_"  # Slack, Brevo, Resend
    r"|SG\.[\w-]{16,}\.|key-[0-9a-f]{32}"  # SendGrid, Mailgun
    r"|shpat_|shpss_"  # Shopify
    r"|base64:[A-Za-z0-9+/]{43}="  # a key of Laravel
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r'|\{.*"private_key"'  # a service account of Google
)
"""How secrets of well-known issuers begin; no name makes them harmless."""
_PUBLIC_VALUES = re.compile(r"pk_live_|pk_test_|pk\.|phc_|-----BEGIN (PUBLIC KEY|CERTIFICATE)")
"""How public keys of well-known issuers begin (Stripe, Mapbox, PostHog)."""
_REFERENCE = re.compile(
    r"\$\{?\w+|\$\(|%env\(|%\w+(\.\w+)*%|\{\{|<[\w -]+>"  # of another variable, of Symfony, of a template
    r"|(vault|ref|op|ssm|secretsmanager|awssm|gcpsm|sm|file|env|data|s3)[:+]|arn:aws|projects/[\w-]+/secrets/"
    r"|\.{0,2}/|~/"
)
"""How values begin that name the place of a secret. A text of base64 begins with a slash once in 64 times."""
_WORDS = {
    *("", "null", "(null)", "none", "nil", "true", "false", "yes", "no", "on", "off", "default", "auto", "(secret)"),
    *("enabled", "disabled", "required", "optional", "allow", "deny", "file", "vault", "bearer", "basic", "cookie"),
    *("header", "session", "env", "database", "redis", "array", "sha256", "hs256", "rs256"),
}
"""Values that are choices and no secrets; `(secret)` stands for one that is encrypted in the file."""
_PUBLIC_PREFIXES = (
    "VITE_",
    "MIX_",
    "NEXT_PUBLIC_",
    "NUXT_PUBLIC_",
    "REACT_APP_",
    "VUE_APP_",
    "GATSBY_",
    "PUBLIC_",
    "EXPO_",
)
"""Variables that build tools write into what browsers get."""
_PUBLIC_WORDS = {"PUBLIC", "PUBLISHABLE", "SITE", "SITEKEY", "ANON", "SEARCH", "BROWSER", "MAPS", "MIXPANEL", "CSRF"}
"""Words of a name that say that browsers may see the value."""
_PUBLIC_NAMES = re.compile(r"(PUSHER|REVERB|SOKETI|SOKETI_DEFAULT|ABLY|BROADCAST)_(APP_)?KEY")
_PASSWORD = re.compile(r"\w*(PASSWORD|PASSWD|PASSPHRASE)|(\w+_)?(PASS|PWD|PW)")
_SECRET = re.compile(r"\w*SECRETS?|(\w+_)?SALT")
_TOKEN = re.compile(r"\w*(TOKEN|APIKEY|CREDENTIALS)")
_KEY = re.compile(
    r"(APP|AUTH|(\w+_)?(API|ACCESS|SECRET|PRIVATE|ENCRYPTION|CRYPT|SIGNING|SIGNATURE|MASTER|LICEN[CS]E|SECURE_AUTH|LOGGED_IN"
    r"|NONCE|ADMIN|SERVICE|SERVICE_ROLE|ACCOUNT|STORAGE|HMAC|WEBHOOK|WRITE|JWT))_KEY"
)
"""Keys that open something. Others (`ROUTING_KEY`, `CACHE_KEY`) are names."""
_TOKEN_LENGTH = 12
"""Characters of the shortest token that anybody issues; shorter ones are words of a setting."""
_NAME = re.compile(r"[a-z]+([-_.:][a-z]+)*|[A-Z]+([-_.:][A-Z]+)*")
"""A value of words alone, such as the name of a Secret or of a cookie."""
_DSN_KEY_LENGTH = 16
"""Characters of the shortest key that a DSN has in the place of a user: `sendgrid://KEY@default` (Symfony Mailer)."""
_KNOWN_PASSWORDS = {"", "guest"}
"""Passwords in URLs that keep nothing secret: RabbitMQ takes `guest` from the same host alone."""


def is_secret(name: str, value: str) -> bool:
    """Whether the variable `name` most likely holds a secret."""
    value = value.strip().strip("\"'")
    if value.lower() in _WORDS:
        return False
    if _SECRET_VALUES.match(value) or _has_password(value):
        return True
    if _REFERENCE.match(value) or _PUBLIC_VALUES.match(value) or "://" in value:
        return False
    return _named_so(name.upper(), value)


def _named_so(name: str, value: str) -> bool:
    """Whether the name calls the value a secret, and it can be one."""
    words = set(name.split("_"))
    if name.startswith(_PUBLIC_PREFIXES) or words & _PUBLIC_WORDS or _PUBLIC_NAMES.fullmatch(name):
        return False
    if name in ("PWD", "OLDPWD"):
        return False
    if _PASSWORD.fullmatch(name):
        return True
    # A number is a time or a count; a text with blanks is a sentence.
    if value.isdigit() or (" " in value and "SALT" not in words and not name.endswith("_KEY")):
        return False
    if _SECRET.fullmatch(name):
        return not (_NAME.fullmatch(value) and re.search(r"[-.:]", value))
    issued = len(value) >= _TOKEN_LENGTH and not _NAME.fullmatch(value)
    return issued and bool(_TOKEN.fullmatch(name) or _KEY.fullmatch(name))


def _has_password(value: str) -> bool:
    """Whether it is a URL with a password, or a DSN whose user is a key."""
    if "://" not in value or "@" not in value:
        return False
    try:
        url = urlsplit(value)
        user, password, host = url.username or "", url.password, url.hostname
    except ValueError:
        return False  # such as a port that is no number
    if password is not None:
        return password.lower() not in _KNOWN_PASSWORDS and not _REFERENCE.match(password)
    return host == "default" and len(user) >= _DSN_KEY_LENGTH and not _REFERENCE.match(user)
