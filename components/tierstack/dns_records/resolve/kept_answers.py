"""Answers of the DNS kept in a file, so that a preview without a network judges by what the DNS said last.

`tierstack dns snapshot` writes the file; it is committed beside the program. Keys are questions, values what was
answered: `{"taken": "2026-11-21", "answers": {"_spf.example.net TXT": ["v=spf1 …"], "gone.example.net A": []}}`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from tierstack.dns_records.records.model import host
from tierstack.dns_records.resolve.names import LookupUnavailableError, Resolver


class KeptAnswersError(ValueError):
    """A file that holds no kept answers; the text says why."""


class KeptAnswers:
    """Answers as they were on a day. What was not asked then is not known, which is not the same as absent."""

    def __init__(self, answers: Mapping[str, Sequence[str]], taken: str) -> None:
        self._answers = {key: list(values) for key, values in answers.items()}
        self.taken = taken

    def lookup(self, name: str, type: str) -> list[str]:
        """What was answered; raises LookupUnavailableError for what was not asked."""
        key = _key(name, type)
        if key not in self._answers:
            raise LookupUnavailableError(f"{key} is not among the answers kept on {self.taken}")
        return list(self._answers[key])

    @classmethod
    def read(cls, path: Path) -> "KeptAnswers":
        """The answers in a file; raises KeptAnswersError when it cannot be read as such."""
        try:
            held: Any = json.loads(path.read_text(encoding="utf-8"))
            answers = cast(dict[str, list[Any]], held["answers"])
            if not all(isinstance(one, str) for values in answers.values() for one in values):
                raise TypeError
            return cls(answers, str(held["taken"]))
        except OSError as problem:
            raise KeptAnswersError(f"cannot be read: {problem.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise KeptAnswersError("is not a file of `tierstack dns snapshot`") from None


class Recording:
    """A resolver that remembers what it was asked and what it answered."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.answers: dict[str, list[str]] = {}

    def lookup(self, name: str, type: str) -> list[str]:
        """The answer of the resolver behind it."""
        found = self._resolver.lookup(name, type)
        self.answers[_key(name, type)] = sorted(found)
        return found

    def write(self, path: Path, taken: str) -> None:
        """Keep the answers in a file; the same answers give the same text."""
        text = json.dumps({"taken": taken, "answers": self.answers}, indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def _key(name: str, type: str) -> str:
    return f"{host(name)} {type}"
