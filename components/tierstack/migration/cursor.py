"""Moving over the tokens of a statement (pure)."""

from collections.abc import Sequence

from tierstack.migration.lexer import Kind, Token


class NotReadError(Exception):
    """Something stands there that the reader does not know."""


class Cursor:
    """A place in the tokens of a statement. What is not there in the form that is asked for moves nothing."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.tokens)

    def sees(self, *words: str) -> bool:
        """Whether these keywords and signs come next."""
        ahead = self.tokens[self.at : self.at + len(words)]
        return len(ahead) == len(words) and all(one.is_(word) for one, word in zip(ahead, words, strict=True))

    def sees_any(self, words: frozenset[str]) -> bool:
        """Whether one of these keywords or signs comes next."""
        return not self.ended and any(self.tokens[self.at].is_(one) for one in words)

    def take(self, *words: str) -> bool:
        """Move over these, where all of them come next in this order."""
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def take_any(self, *words: str) -> str:
        """Move over the first of these that comes next. Empty: none does."""
        return next((word for word in words if self.take(*word.split())), "")

    def want(self, *words: str) -> None:
        """Move over these. Raises NotReadError where they do not come next."""
        if not self.take(*words):
            raise NotReadError(self.rest() or "the end")

    def next(self) -> Token:
        """Move over one token. Raises NotReadError at the end."""
        if self.ended:
            raise NotReadError("the end")
        self.at += 1
        return self.tokens[self.at - 1]

    def name(self) -> str:
        """Move over a name, with the schemas before it."""
        parts = [self.part()]
        while self.take("."):
            parts.append(self.part())
        return ".".join(parts)

    def part(self) -> str:
        """Move over one name. Raises NotReadError where there is none."""
        token = self.next()
        if token.kind not in (Kind.WORD, Kind.NAME):
            self.at -= 1
            raise NotReadError(self.rest())
        return token.text

    def names(self) -> tuple[str, ...]:
        """Move over names with commas between them."""
        found = [self.name()]
        while self.take(","):
            found.append(self.name())
        return tuple(found)

    def group(self) -> tuple[Token, ...]:
        """Move over a pair of parentheses. Returns what is in it."""
        start = self.at
        self.want("(")
        depth = 1
        while depth:
            token = self.next()
            depth += {"(": 1, ")": -1}.get(token.text if token.kind is Kind.OTHER else "", 0)
        return tuple(self.tokens[start + 1 : self.at - 1])

    def columns(self) -> tuple[str, ...]:
        """Move over a list of columns or expressions in parentheses. Returns the columns in it by name."""
        return tuple(part[0].text for part in parts(self.group()) if part and part[0].kind in (Kind.WORD, Kind.NAME))

    def until(self, stops: frozenset[str] = frozenset(), commas: bool = True) -> tuple[Token, ...]:
        """Move to a comma or one of these keywords, outside of parentheses, or to the end. At least one token."""
        start = self.at
        while not self.ended:
            if self.at > start and ((commas and self.sees(",")) or self.sees_any(stops)):
                break
            if self.sees("("):
                self.group()
            else:
                self.at += 1
        return tuple(self.tokens[start : self.at])

    def rest(self) -> str:
        """What is left, as text."""
        return written(self.tokens[self.at :])

    def skip(self) -> None:
        """Move to the end."""
        self.at = len(self.tokens)

    def end(self) -> None:
        """Raises NotReadError where something is left."""
        if not self.ended:
            raise NotReadError(self.rest())


def parts(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """The parts of a list, split at the commas outside of parentheses."""
    found: list[tuple[Token, ...]] = []
    cursor = Cursor(tokens)
    while not cursor.ended:
        if cursor.take(","):
            continue
        found.append(cursor.until())
    return found


def written(tokens: Sequence[Token]) -> str:
    """Tokens as text, with a space only where words would grow together."""
    text = ""
    for token in tokens:
        piece = f'"{token.text}"' if token.kind is Kind.NAME else token.text
        glued = not text or text[-1] in "(.:" or piece[0] in "(),.:;[]" or text[-1] == "["
        text += piece if glued else f" {piece}"
    return text


def shortened(text: str, length: int) -> str:
    """`text`, cut to so many characters with an ellipsis as the last one."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
