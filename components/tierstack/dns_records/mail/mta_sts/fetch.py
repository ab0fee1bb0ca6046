"""The MTA-STS policy of a domain as a sender gets it (RFC 8461 §3.3), and what is wrong with it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail import mx
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ERROR, declare, error

if TYPE_CHECKING:
    import ssl

declare("sts-policy", "An MTA-STS policy can be read by senders.", "RFC 8461 §3.2", ERROR)
declare("sts-unserved", "The MTA-STS policy is served over HTTPS where senders look for it.", "RFC 8461 §3.3", ERROR)

PATH = "/.well-known/mta-sts.txt"
"""Where senders look for the policy."""
MAX_OCTETS = 65_536
"""Senders may stop reading there (RFC 8461 §3.2)."""

Fetch = Callable[[str], str]
"""The policy of a domain; raises PolicyUnavailableError."""


class PolicyUnavailableError(Exception):
    """A sender would get no policy; the text says why."""


def fetch(
    domain: str,
    *,
    timeout: float = 10.0,
    address: tuple[str, int] | None = None,
    context: "ssl.SSLContext | None" = None,
) -> str:
    """The policy as a sender fetches it: HTTPS with a certificate for its host, no redirect, `text/plain`.

    `timeout` in seconds. `address` and `context` stand in for port 443 of the host and for the CAs of this machine.
    """
    # Here, because most checks load this module and ask no server.
    import http.client
    import socket
    import ssl

    host = mta_sts.host_name(domain)
    connection = http.client.HTTPSConnection(host, timeout=timeout)
    try:
        plain = socket.create_connection(address or (host, 443), timeout)
        connection.sock = (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host)
        connection.request("GET", PATH)
        answer = connection.getresponse()
        body = answer.read(MAX_OCTETS + 1)
    except ssl.SSLCertVerificationError as problem:
        raise PolicyUnavailableError(f"the certificate is refused: {problem.verify_message}") from None
    except (OSError, http.client.HTTPException) as problem:
        raise PolicyUnavailableError(f"{host} does not answer: {problem or type(problem).__name__}") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise PolicyUnavailableError(f"{host} answers {answer.status}, and senders follow no redirect")
    kind = answer.getheader("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "text/plain":
        raise PolicyUnavailableError(f"it is served as `{kind}`, not as text/plain")
    if len(body) > MAX_OCTETS:
        raise PolicyUnavailableError(f"it is longer than {MAX_OCTETS} octets")
    return body.decode("utf-8", "replace")


def check_served(names: Names, get: Fetch) -> list[Diagnostic]:
    """What is wrong with the policy that is served, for a domain that announces one."""
    domain = names.domain
    if not any(map(mta_sts.is_sts, names.answer(f"_mta-sts.{domain}", "TXT").values)):
        return []
    subject = f"https://{mta_sts.host_name(domain)}{PATH}"
    try:
        text = get(domain)
    except PolicyUnavailableError as problem:
        fix = "serve the policy, or remove the record at `_mta-sts`"
        return [error("sts-unserved", subject, f"senders get no policy: {problem}", fix)]
    policy = mta_sts.read_policy(text)
    if isinstance(policy, str):
        return [error("sts-policy", subject, policy, "correct the policy, and change the id")]
    exchanges = mx.targets(names.answer(domain, "MX").values)
    return mta_sts.check_policy(policy.mode, exchanges, policy.exchanges, policy.max_age, subject)
