"""Alerting rules for a certificate that nobody renews in time (pure), as Prometheus reads them."""

from typing import Any

import yaml

from tierstack.platform import PlatformKind
from tierstack.platform.proxy.acme import ordered
from tierstack.tls.args import TLSArgs
from tierstack.tls.options import LocalCAArgs

_ENDS = "traefik_tls_certs_not_after"
"""Traefik's metric: seconds since 1970 at the end of each certificate that it shows."""


def text(name: str, args: TLSArgs) -> str:
    """A rule file of Prometheus, as YAML: `rule_files` reads it, and `spec` of a PrometheusRule has the same form."""
    soon, absent = _cert_manager(name, args) if _by_cert_manager(args) else _traefik(args)
    alerts = [
        _alert("CertificateNotRenewed", soon, args, "is not renewed, although half of the time for it is over"),
        _alert("CertificateUnobserved", absent, args, "is not reported by anything, so nobody sees it expire"),
    ]
    if args.given:
        alerts[0]["annotations"]["summary"] = f"{_names(args)}: the given certificate is to be replaced"
    group = {"name": f"{args.platform.name}-{name}", "rules": alerts}
    return yaml.safe_dump({"groups": [group]}, sort_keys=False, width=1000)


def seconds_left(args: TLSArgs) -> int:
    """How much of the lifetime is left when the alarm is raised: half of the share at which it is renewed; of a given
    certificate, which nobody renews by himself, the whole share."""
    if args.given:
        from tierstack.tls import given  # what it needs to read certificates takes long to import

        return given.lifetime_seconds(args.given) * args.renew_before_percent // 100
    hours = args.acme.expected_hours if args.acme else (args.local_ca or LocalCAArgs()).lifetime_days * 24
    return hours * 3600 * args.renew_before_percent // 200


def _by_cert_manager(args: TLSArgs) -> bool:
    return args.platform.kind is PlatformKind.KUBERNETES and not args.given


def _traefik(args: TLSArgs) -> tuple[str, str]:
    """By the certificate that is shown. One that is renewed has another serial, so the newest counts."""
    if args.given:
        from tierstack.tls import given  # see above

        names = given.certificate_names(args.given)
    else:
        names = ordered(args.hostnames) if args.acme else args.hostnames
    series = f'{_ENDS}{{sans="{",".join(sorted(names))}"}}'
    return f"max({series}) - time() < {seconds_left(args)}", f"absent({series})"


def _cert_manager(name: str, args: TLSArgs) -> tuple[str, str]:
    """By what cert-manager plans: it knows the lifetime that the CA gave."""
    which = f'{{namespace="{args.platform.name}",name="{name}-certificate"}}'
    renewal, end = (f"certmanager_certificate_{what}_timestamp_seconds{which}" for what in ("renewal", "expiration"))
    return f"({renewal} + {end}) / 2 < time()", f"absent({end})"


def _names(args: TLSArgs) -> str:
    more = len(args.hostnames) - 1
    return args.hostnames[0] + (f" and {more} more" if more else "")


def _alert(name: str, expression: str, args: TLSArgs, what: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": "15m",
        "labels": {"severity": "critical", "platform": args.platform.name, "environment": args.platform.environment},
        "annotations": {"summary": f"{_names(args)}: the certificate {what}"},
    }
