"""PEM texts as they arrive: what variables, YAML, editors and web forms make of them."""

import codecs
import json
import re
from collections.abc import Callable

_ATTRIBUTES = "Bag Attributes\\n    localKeyID: 01 02\\nsubject=/CN=site\\nKey Attributes: <No Attributes>\\n"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "line breaks as spaces": lambda text: " ".join(text.split("\n")),
    "line breaks lost": lambda text: text.replace("\n", ""),
    "line breaks as two characters": lambda text: text.replace("\n", "\\n"),
    "line breaks escaped twice": lambda text: text.replace("\n", "\\\\n"),
    "all white space lost": lambda text: "".join(text.split()),
    "indented": lambda text: "\n".join(f"  {line}" for line in text.splitlines()),
    "indented by tabs": lambda text: "\n".join(f"\t{line}" for line in text.splitlines()),
    "a byte order mark": lambda text: "\ufeff" + text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "white space at the ends of lines": lambda text: text.replace("\n", " \t\n"),
    "blank lines between": lambda text: text.replace("\n", "\n\n"),
    "no-break spaces before": lambda text: "\n".join(f"\u00a0{line}" for line in text.splitlines()),
    "in quotes": lambda text: f'"{text}"',
    "no final line break": lambda text: text.strip(),
    "wrapped at 40 columns": lambda text: re.sub(r"(?m)^([A-Za-z0-9+/=]{40})(?=.)", r"\1\n", text),
    "blocks without a line break between": lambda text: text.replace("-----\n-----", "----------"),
    "a list of JSON": lambda text: json.dumps([text]),
    "a null octet at the end": lambda text: text + "\0",
    "attributes of openssl pkcs12": lambda text: re.sub("(?m)^(?=-----BEGIN)", _ATTRIBUTES, text),
    "text before and after": lambda text: f"Bag Attributes\n    friendlyName: shop\n{text}\n# end\n",
}

FILES: dict[str, Callable[[str], bytes]] = {
    "UTF-8": str.encode,
    "UTF-8 with a byte order mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16 of PowerShell": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "UTF-16, the other way round": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-16 without a byte order mark": lambda text: text.encode("utf-16-le"),
    "UTF-16, the other way round, without a byte order mark": lambda text: text.encode("utf-16-be"),
    "Latin-1 beside it": lambda text: "# für den Laden\n".encode("latin-1") + text.encode(),
}
