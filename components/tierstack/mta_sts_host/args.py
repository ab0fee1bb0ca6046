"""What an MtaStsHost takes, and the rules of it."""

from dataclasses import dataclass, field

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import MISSING, Diagnostic, declare
from tierstack.core.hostnames import covers
from tierstack.core.keys import within
from tierstack.dns_records.mail.mta_sts.fetch import PATH
from tierstack.dns_records.mail.mta_sts.record import host_name, policy_problem
from tierstack.dns_records.zone.check import domain_problem
from tierstack.links import GatewayEndpoint
from tierstack.platform import Platform, image_problems, user_problems
from tierstack.platform.claims import Claim

declare("policy-twice", "A Gateway can serve one MTA-STS policy of a domain.", "RFC 8461 §3.3")


@dataclass(kw_only=True)
class MtaStsHostArgs:
    """The host that serves the MTA-STS policy of one mail domain."""

    platform: Platform
    """Where it runs."""
    gateway: GatewayEndpoint
    """The proxy before it, from Gateway. Its certificate must cover `mta-sts.<domain>`, and senders must trust it."""
    domain: str
    """The mail domain: `example.org`. The host is `mta-sts.example.org`."""
    policy: str
    """The text of the policy, `mta_sts_policy` of DNSRecordsArgs: then record and policy always agree."""
    image: pulumi.Input[str]
    """An image with nginx and a shell, by digest."""
    nginx_command: list[str] | None = None
    """How to start nginx. None: `["nginx"]`."""
    user: str = "10001:10001"
    """`uid:gid` of nginx; not root."""
    port: int = field(default=8080, metadata=within(1024, 65535))
    """Port that nginx listens on. 1024 to 65535, because it does not run as root."""
    memory_mb: int = field(default=32, metadata=within(16, 1024, "MiB"))
    """Hard limit in MiB. 16 to 1024."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def hostname(self) -> str:
        """The name of the host."""
        return host_name(self.domain)

    @property
    def url(self) -> str:
        """Where the policy is served. Senders use port 443 alone (RFC 8461 §3.3)."""
        port = "" if self.gateway.https_port == 443 else f":{self.gateway.https_port}"
        return f"https://{self.hostname}{port}{PATH}"

    @property
    def covered(self) -> bool:
        """Whether the Gateway's certificate has the host's name, as far as its names are known."""
        names = self.gateway.hostnames
        return names is None or any(covers(name, self.hostname) for name in names)

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        found = self.platform.problems() + bound_problems(self)
        if problem := domain_problem(self.domain):
            found.append(Diagnostic("domain", self.domain, problem, "write a domain such as `example.org`", "domain"))
        if problem := policy_problem(self.policy):
            instead = "pass `mta_sts_policy` of DNSRecordsArgs"
            shown = self.policy.splitlines()[0] if self.policy else ""
            found.append(Diagnostic("policy", shown, problem, instead, "sts-policy"))
        found += image_problems("image", self.image, self.platform.kind)
        found += user_problems("user", self.user)
        if self.nginx_command is not None and not self.nginx_command:
            instead = "write the command, or leave it out"
            found.append(Diagnostic("nginx_command", [], "is empty", instead, "empty-command"))
        return found + self._gateway_problems()

    def claims(self) -> list[Claim]:
        """What no other component of the program can have: a Gateway serves one policy of a domain."""
        if self.gateway.gateway is None:
            return []
        wrong, instead = "is the domain of {owner} too", "remove one of the two"
        problem = Diagnostic("domain", self.domain, wrong, instead, "policy-twice")
        return [Claim(("policy", self.gateway.place or "", self.gateway.gateway, self.hostname), problem)]

    def _gateway_problems(self) -> list[Diagnostic]:
        part = self.platform.kind.value
        if getattr(self.gateway, part) is not None:
            return []
        wrong = f"is required on {self.platform.kind.name.title()}"
        instead = "pass `endpoint` of a Gateway on the same platform"
        return [Diagnostic(f"gateway.{part}", MISSING, wrong, instead, "required-on-platform")]
