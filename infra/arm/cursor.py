"""A place in a list of tokens, from which parsers read."""

from collections.abc import Sequence
from typing import NoReturn

from infra.arm.lexer import BicepError, Token


class Cursor:
    """Reads tokens one after the other.

    Attributes:
        file: its name, for messages.
    """

    def __init__(self, file: str, tokens: Sequence[Token]) -> None:
        self.file, self._tokens, self._at = file, tokens, 0

    @property
    def token(self) -> Token:
        """The token that is read next."""
        return self._tokens[self._at]

    def following(self, count: int) -> Token:
        """Return the token that many places after the next one."""
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Read a token."""
        token = self.token
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def sees(self, *texts: str) -> bool:
        """Tell whether a word or sign is next."""
        return self.token.kind in ("word", "sign") and self.token.text in texts

    def takes(self, *texts: str) -> bool:
        """Read a word or sign if it is next, and tell whether it was."""
        seen = self.sees(*texts)
        if seen:
            self.take()
        return seen

    def expect(self, text: str) -> None:
        """Read a word or sign that must be next."""
        if not self.takes(text):
            self.fail(f"{text} is expected before {self.token.text!r}")

    def word(self) -> str:
        """Read a word."""
        if self.token.kind != "word":
            self.fail(f"a name is expected before {self.token.text!r}")
        return self.take().text

    def plain(self) -> str:
        """Read a string without expressions in it."""
        token = self.take()
        if token.kind != "string" or len(token.parts) != 1 or not isinstance(token.parts[0], str):
            self.fail("a text without ${ is expected")
        return token.parts[0]

    def skip_lines(self) -> None:
        """Skip ends of lines."""
        while self.token.kind == "newline":
            self.take()

    def sees_on_later_line(self, *texts: str) -> bool:
        """Tell whether a sign is next after ends of lines; stand before it if so."""
        count = 0
        while self.following(count).kind == "newline":
            count += 1
        token = self.following(count)
        if token.kind != "sign" or token.text not in texts:
            return False
        self._at += count
        return True

    def fail(self, reason: str) -> NoReturn:
        """Raise a `BicepError` that names file and line."""
        raise BicepError(f"{self.file}: line {self.token.line}: {reason}")
