r"""Splits Bicep into tokens.

The parser that the other gates use loses what a translation needs: it knows no precedence of
operators, no safe access (`.?`), and reads an escaped `\${` as the begin of an expression.
"""

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

_SPACE = re.compile(r"(?:[ \t\r]|//[^\n]*|#disable[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"\d+")
_SIGNS = re.compile(r"\?\?|=>|==|!=|=~|!~|<=|>=|&&|\|\||::|\.\?|\[\?|[-+*/%=!<>?:.,()\[\]{}@|]")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}


class BicepError(ValueError):
    """A Bicep file that can't be read or translated; says where and why."""


@dataclass(frozen=True)
class Token:
    """A token.

    Attributes:
        kind: `word`, `number`, `string`, `sign`, `newline` or `end`.
        text: as written; of a string the kind of its quotes.
        line: counted from 1.
        parts: of a string: texts, and the tokens of each `${…}`.
    """

    kind: str
    text: str
    line: int
    parts: "Parts" = ()


Parts: TypeAlias = tuple[str | tuple[Token, ...], ...]


def tokens_of(file: str, text: str) -> list[Token]:
    """Split a file's text.

    Args:
        file: its name, for messages.
        text: what it holds.

    Raises:
        BicepError: there is a sign that Bicep does not have, or a string has no end.
    """
    tokens = _Lexer(file, text).tokens(inside=False)
    return [*tokens, Token("end", "the end of the file", text.count("\n") + 1)]


class _Lexer:
    def __init__(self, file: str, text: str) -> None:
        self._file, self._text, self._at = file, text, 0

    def tokens(self, *, inside: bool) -> list[Token]:
        """Split up to the end, or up to the brace that closes a `${`."""
        tokens: list[Token] = []
        depth = 0
        while self._at < len(self._text):
            token = self._next()
            if token is None:
                continue
            depth += (token.text == "{") - (token.text == "}") if token.kind == "sign" else 0
            if inside and depth < 0:
                return tokens
            tokens.append(token)
        if inside:
            self._fail("${ has no end")
        return tokens

    def _next(self) -> Token | None:
        """Return the token here; None for space and comments."""
        space = _SPACE.match(self._text, self._at)
        if space:
            self._at = space.end()
            return None
        line = self._line()
        if self._text[self._at] == "\n":
            self._at += 1
            return Token("newline", "\n", line)
        if self._text.startswith("'''", self._at):
            return self._long_string(line)
        if self._text[self._at] == "'":
            return self._string(line)
        for kind, pattern in (("word", _WORD), ("number", _NUMBER), ("sign", _SIGNS)):
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return Token(kind, match.group(), line)
        self._fail(f"{self._text[self._at]!r} is not understood")

    def _long_string(self, line: int) -> Token:
        end = self._text.find("'''", self._at + 3)
        if end < 0:
            self._fail("''' has no end")
        text = self._text[self._at + 3 : end]
        self._at = end + 3
        return Token("string", "'''", line, (text.removeprefix("\r").removeprefix("\n"),))

    def _string(self, line: int) -> Token:
        parts: list[str | tuple[Token, ...]] = []
        text = ""
        self._at += 1
        while True:
            sign = self._text[self._at : self._at + 1]
            if sign in ("", "\n"):
                self._fail("a string has no end")
            self._at += 1
            if sign == "'":
                return Token("string", "'", line, (*parts, text))
            if sign == "\\":
                text += self._escaped()
            elif sign == "$" and self._text.startswith("{", self._at):
                self._at += 1
                parts += [text, tuple(self.tokens(inside=True))]
                text = ""
            else:
                text += sign

    def _escaped(self) -> str:
        sign = self._text[self._at : self._at + 1]
        self._at += 1
        if sign == "u":
            number = re.compile(r"\{([0-9a-fA-F]+)\}").match(self._text, self._at)
            if number:
                self._at = number.end()
                return chr(int(number.group(1), 16))
        if sign not in _ESCAPES:
            self._fail(f"a string can't hold \\{sign}")
        return _ESCAPES[sign]

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _fail(self, reason: str) -> NoReturn:
        raise BicepError(f"{self._file}: line {self._line()}: {reason}")
