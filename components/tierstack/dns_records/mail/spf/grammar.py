"""The grammar of SPF records (RFC 7208 §12): what is a term, what is not, and what was probably meant."""

import difflib
import ipaddress
import re
from dataclasses import dataclass, replace

from tierstack.dns_records.records.model import RecordError, absolute
from tierstack.dns_records.records.texts import odd_character, plain_space
from tierstack.dns_records.rules import Slip

MECHANISMS = ("all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists")
MODIFIERS = ("redirect", "exp")

_MECHANISM = re.compile(r"(?P<qualifier>[-+~?]?)(?P<name>[A-Za-z][A-Za-z0-9_.-]*)(?P<rest>.*)")
_MODIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*=")
_CIDR = re.compile(r"(?P<value>.*?)(?:/(?P<v4>\d+))?(?://(?P<v6>\d+))?")
_MACRO = r"%\{{[{letters}](?:0*[1-9]\d*)?r?[.\-+,/_=]*\}}|%%|%_|%-"
_TARGET_MACRO = re.compile(_MACRO.format(letters="slodiphv"), re.IGNORECASE)
_ANY_MACRO = re.compile(_MACRO.format(letters="slodiphvcrt"), re.IGNORECASE)
_EXPANDED = "\0"  # stands for a macro; no record holds it
_TOP_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_HOST_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.IGNORECASE)
_RUN_TOGETHER = re.compile(r"(?<=[a-z0-9.])(?=(?:include|exists|ip4|ip6|mx|a):|redirect=)", re.IGNORECASE)
_GUESSED = 255  # characters; nobody means anything by a longer word
_NEARLY = re.compile(r"\W*(v\W*(spf(?!2\.0/)|sfp|fsp)|spf1)", re.IGNORECASE)
_START = re.compile(r"\W*(?:v\W*)?s[pf]{2}[\d.]*", re.IGNORECASE)
_ADDRESSED = re.compile(r"(?P<sign>[-~?]?)\+?(?:ip|a|mx|include|exists|host):(?P<address>.*)", re.IGNORECASE)
_MEANT_AS_ENDING = re.compile(r"all\W*$|redirect", re.IGNORECASE)
_SIGNS = re.compile(r"([-+~?])[-+~?]+(?=[a-z])", re.IGNORECASE)
_URL = re.compile(r"(?P<start>[-+~?]?[a-z0-9]+[:=])https?://(?P<host>[^/:]+)[^ ]*", re.IGNORECASE)
_PORT = re.compile(r"(?P<term>[^:]+:[^:]+):\d{1,5}")
_ENDING = re.compile(r"(?P<term>.*[^-+~?])(?P<all>[-~?+]all)", re.IGNORECASE)


@dataclass(frozen=True)
class Term:
    """One mechanism or modifier."""

    text: str
    """As it stands in the record."""
    name: str
    """Lower case: `include`, `ip4`, `redirect`."""
    qualifier: str = "+"
    """`+` pass, `-` fail, `~` softfail, `?` neutral; of a modifier without meaning."""
    value: str = ""
    """The domain or address, without prefix lengths; empty means the domain itself."""
    modifier: bool = False
    broken: bool = False
    """Whether receivers cannot read it, so that nothing is to be looked up for it."""

    @property
    def has_macro(self) -> bool:
        """Whether the value depends on the message, so that nobody can look it up beforehand (RFC 7208 §7)."""
        return "%{" in self.value


@dataclass(frozen=True)
class Spf:
    """A parsed record: its terms, and what could not be read."""

    terms: tuple[Term, ...]
    problems: tuple[Slip, ...] = ()
    ending_broken: bool = False
    """Whether a word that cannot be read was meant as the ending: `all` or `redirect`."""

    def named(self, name: str) -> list[Term]:
        """The terms of that name, in order."""
        return [term for term in self.terms if term.name == name]

    @property
    def reached(self) -> list[Term]:
        """The terms that a receiver evaluates for a sender that none matches, in its order: mechanisms up to `all`
        (RFC 7208 §5.1), or all of them and then `redirect` (§6.1)."""
        mechanisms = [term for term in self.terms if not term.modifier]
        for at, term in enumerate(mechanisms):
            if term.name == "all":
                return mechanisms[: at + 1]
        return mechanisms + self.named("redirect")


def is_spf(text: str) -> bool:
    """Whether a TXT is an SPF record: `v=spf1` followed by a space or nothing (RFC 7208 §4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def nearly(text: str) -> bool:
    """Whether a TXT was meant as an SPF record, though it is none. Sender ID (`spf2.0/pra`) is something else."""
    return not is_spf(text) and bool(_NEARLY.match(plain_space(text)))


def as_meant(text: str) -> str | None:
    """The record that was probably meant by a text that is nearly one; None where its spaces are lost."""
    words = [
        word for word in re.split(r"[\s;,\"'\u2018\u2019\u201c\u201d]+", _START.sub("", plain_space(text))) if word
    ]
    made = " ".join(["v=spf1", *words])
    return None if parse(made).problems or len(made) > _GUESSED else made


def parse(text: str) -> Spf:
    """The terms of a record (RFC 7208 §4.6.1). Never raises: what cannot be read is listed in `problems`."""
    if not is_spf(text):
        return Spf((), (Slip("does not begin with `v=spf1 `", "begin with `v=spf1 `"),))
    terms: list[Term] = []
    problems: list[Slip] = []
    ending_broken = False
    for word in filter(None, text.split(" ")[1:]):
        term, problem = _term(word)
        if problem:
            problems.append(problem)
            ending_broken = ending_broken or bool(_MEANT_AS_ENDING.search(word))
        if term:
            terms.append(replace(term, broken=True) if problem else term)
    problems += [
        Slip(f"`{name}` stands twice (RFC 7208 §6)", f"keep one `{name}=`")
        for name in MODIFIERS
        if [term.name for term in terms].count(name) > 1
    ]
    return Spf(tuple(terms), tuple(problems), ending_broken)


def _term(word: str) -> tuple[Term | None, Slip | None]:
    if odd := odd_character(word):
        return None, Slip(f"`{word}` is not a mechanism of SPF: it holds {odd}", _without_odd(word))
    if _MODIFIER.match(word):
        return _modifier(word)
    match = _MECHANISM.fullmatch(word)
    name = match["name"].lower() if match else ""
    if not match or name not in MECHANISMS:
        return None, Slip(f"`{word}` is not a mechanism of SPF", _meant(word))
    cidr = _CIDR.fullmatch(match["rest"])
    assert cidr  # every part of the pattern is optional
    value = cidr["value"]
    if value and not value.startswith(":"):
        return None, Slip(f"`{word}` is not a mechanism of SPF", _meant(word))
    value = (match["rest"] if name in ("ip4", "ip6") else value).removeprefix(":")
    term = Term(word, name, match["qualifier"] or "+", value)
    return term, _mechanism_slip(term, match["rest"], cidr["v4"], cidr["v6"])


def _modifier(word: str) -> tuple[Term, Slip | None]:
    name, _, value = word.partition("=")
    # `include=x` is an unknown modifier; its name keeps the sign, lest it is taken for `include:x`.
    name = f"{name.lower()}=" if name.lower() in MECHANISMS else name.lower()
    term = Term(word, name, value=value, modifier=True)
    if name in MODIFIERS:
        return term, _domain_slip(word, value)
    if "%" in _ANY_MACRO.sub(_EXPANDED, value):
        return term, Slip(f"`{word}`: a `%` that begins no macro", "write `%%` for a percent sign, or remove it")
    return term, None


def _mechanism_slip(term: Term, rest: str, v4: str | None, v6: str | None) -> Slip | None:
    start = f"{'' if term.qualifier == '+' else term.qualifier}{term.name}"
    if term.name == "all":
        fix = "write `-all` or `~all`" if term.qualifier == "+" else f"write `{start}`"
        return Slip(f"`{term.text}`: `all` takes nothing after it", fix) if rest else None
    if term.name in ("ip4", "ip6"):
        return _network_slip(term, start)
    if term.name in ("include", "exists", "ptr") and (v4 or v6):
        wrong = f"`{term.text}`: `{term.name}` takes no prefix length"
        return Slip(wrong, f"write `{start}:{term.value}`" if term.value else f"write `{start}`")
    if (v4 and int(v4) > 32) or (v6 and int(v6) > 128):
        fix = "write at most /32 for IPv4 and //128 for IPv6"
        return Slip(f"`{term.text}`: the prefix is longer than an address", fix)
    if any(one and one != "0" and one.startswith("0") for one in (v4, v6)):
        fix = "write the prefix length without zeros before it"
        return Slip(f"`{term.text}`: the prefix length begins with a zero", fix)
    if term.name in ("include", "exists") and not term.value:
        return Slip(f"`{term.text}`: `{term.name}` needs a domain after `:`", "write the domain, or remove the term")
    if rest.startswith(":") and not term.value:
        return Slip(f"`{term.text}`: nothing after `:`", f"write `{start}`, or the name of a host after `:`")
    return _domain_slip(term.text, term.value) if term.value else None


def network(term: Term) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """The address and prefix of `ip4` and `ip6`, or None where there is none (RFC 7208 §5.6)."""
    address, slash, length = term.value.partition("/")
    if slash and not re.fullmatch(r"0|[1-9][0-9]*", length):
        return None  # Python would take a netmask, too
    try:
        # Python would take a zone (`fe80::1%eth0`), which no standard of DNS or SPF knows.
        return None if "%" in address else ipaddress.ip_interface(term.value)
    except ValueError:
        return None


def _network_slip(term: Term, start: str) -> Slip | None:
    version = int(term.name[-1])
    found = network(term)
    if found and found.version != version:
        wrong = f"`{term.text}`: `{term.value}` is IPv{found.version}, so write `ip{found.version}:`"
        return Slip(wrong, f"write `{start[:-1]}{found.version}:{term.value}`")
    if found:
        return None
    wrong = f"`{term.text}`: `{term.value}` is not an IPv{version} address or network"
    try:
        # A netmask, or a prefix with zeros before it.
        address, _, length = term.value.partition("/")
        meant = ipaddress.ip_interface(f"{address}/{length.lstrip('0') if '.' not in length else length}")
        return Slip(wrong, f"write `{start}:{meant}`")
    except ValueError:
        example = "ip4:198.51.100.20" if version == 4 else "ip6:2001:db8::20"
        otherwise = f"write an address such as `{example}`, or a network such as `{example}/28`"
        return Slip(wrong, _meant(term.text, otherwise))


def _domain_slip(word: str, value: str) -> Slip | None:
    """What is wrong with a `domain-spec` (RFC 7208 §7.1), or None."""
    if not value:
        return Slip(f"`{word}` needs a domain", "write the domain, or remove the term")
    plain = _TARGET_MACRO.sub(_EXPANDED, value)
    if "%" in plain:
        fix = "write `%%` for a percent sign, or a macro such as `%{i}`"
        return Slip(f"`{word}`: a `%` that begins no macro", fix)
    _, dot, top = plain.removesuffix(".").rpartition(".")
    if plain.endswith(_EXPANDED):
        return None
    if not dot:
        return Slip(
            f"`{word}`: `{value}` is not a full domain name", "write the whole name, such as `_spf.example.org`"
        )
    if not _TOP_LABEL.fullmatch(top) or top.isdigit():
        shown = top.replace(_EXPANDED, "…")
        return Slip(f"`{word}`: no domain ends in `{shown}`", _meant(word, f"correct the name before `{shown}`"))
    try:
        absolute(plain.replace(_EXPANDED, "x").rstrip(".") + ".", "invalid.")
    except RecordError as problem:
        return Slip(f"`{word}`: {problem}", "correct the name")
    return None


def unlikely_host(term: Term) -> Slip | None:
    """A target that the grammar allows and no host has: a slip that makes the term useless, or None."""
    if term.has_macro or term.name in ("ip4", "ip6", "all") or not term.value:
        return None
    bad = [one for one in term.value.rstrip(".").split(".") if not _HOST_LABEL.fullmatch(one)]
    if not bad:
        return None
    fix = _meant(term.text, "write one term for each name, with a space between")
    return Slip(f"`{term.text}`: no host has `{bad[0]}` in its name", fix)


def _without_odd(word: str) -> str:
    spaced = plain_space(word)
    if " " in spaced:
        return f"write `{spaced.strip()}`, with plain spaces"
    for dash in "\u2010\u2011\u2012\u2013\u2014\u2212":
        spaced = spaced.replace(dash, "-")
    for mark in "\u2018\u2019\u201c\u201d":
        spaced = spaced.replace(mark, "")
    if not odd_character(spaced):
        return f"write `{spaced}`" if spaced else "remove it"
    try:
        # A name in its own letters: receivers look up A-labels only (RFC 7208 §4.3).
        start, colon, name = spaced.partition(":")
        return f"write `{start}{colon}{absolute(name + '.', 'invalid.')}`" if colon else "write it in plain letters"
    except RecordError:
        return "write it in plain letters"


def _meant(word: str, otherwise: str = "correct the term, or remove it") -> str:
    """What was probably meant by a word that is no term, as a clause."""
    if len(word) > _GUESSED:
        return otherwise
    trimmed = word.strip("\"'").rstrip(",;.")
    if trimmed != word and trimmed:
        return f"remove the `{word.replace(trimmed, '', 1)[:1]}`: write `{trimmed}`"
    if url := _URL.fullmatch(word):
        return f"write `{url['start']}{url['host']}`"
    if _SIGNS.match(word) and _term(single := _SIGNS.sub(r"\1", word))[1] is None:
        return f"keep one sign: write `{single}`"
    if (port := _PORT.fullmatch(word)) and _term(port["term"])[1] is None:
        return f"SPF has no ports: write `{port['term']}`"
    ending = _ENDING.fullmatch(word)
    if ending and _term(ending["term"])[0]:
        return f"put a space before `{ending['all']}`"
    parts = _RUN_TOGETHER.split(word)
    if len(parts) > 1 and all(_term(one)[0] for one in parts):
        return f"put a space between the terms: `{' '.join(parts)}`"
    try:
        named = _ADDRESSED.fullmatch(word)
        address = ipaddress.ip_interface(named["address"] if named else word)
        sign = named["sign"] if named else ""
        return f"write `{sign}ip{address.version}:{address if '/' in word else address.ip}`"
    except ValueError:
        pass
    name, sign, value = word.partition(":") if ":" in word else word.partition("=")
    bare = name.lower().lstrip("-+~?")
    if bare in MODIFIERS and sign == ":":
        return f"write `{bare}={value}`"
    close = difflib.get_close_matches(bare, [one for one in MECHANISMS if len(one) > 2], n=1, cutoff=0.7)
    if sign and close and bare not in MECHANISMS:
        return f"write `{close[0]}:{value}`"
    if not sign and "." in bare and _TOP_LABEL.fullmatch(bare.rpartition(".")[2]):
        return f"write `include:{word}` for a sender's domain, or `a:{word}` for a host"
    return otherwise
