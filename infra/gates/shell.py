"""Finds commands in the text of shell scripts, and splits them into words as a shell would."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PLACEHOLDER = "x"
"""Stands for whatever a variable or another command would put there."""
_ENDS = "\n;|&()<>`"
_ARRAY = re.compile(r"\b(\w+)=\((?!\()")
_HERE_DOCUMENT = re.compile(r"<<-?[ ]*(['\"]?)(\w+)\1")
_NO_CALL = re.compile(r"(?:^|[ \t;])in[ \t]+$", re.MULTILINE)
_WHOLE_ARRAY = re.compile(r'"\$\{(\w+)\[@\]\}"')


@dataclass(frozen=True)
class Place:
    """Where a command begins, and the quote that it stands in: `"`, `'` or none."""

    start: int
    quote: str


@dataclass
class _Scan:
    """A walk through a script that knows what is quoted."""

    text: str
    name: str
    places: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._calls = re.compile(rf"{self.name} +[a-z]")

    def run(self, position: int, until: str, quote: str = "") -> int:
        """Walk to the end of a region and return the position behind it."""
        while position < len(self.text):
            letter = self.text[position]
            if letter == until:
                return position + 1
            position = self._step(position, letter, quote)
        return position

    def _step(self, position: int, letter: str, quote: str) -> int:
        if letter == "\\":
            return position + 2
        if self.text.startswith("$(", position):
            return self.run(position + 2, ")")
        if letter == "<" and not quote:
            return self._behind_redirection(position)
        if self.text.startswith("${", position):
            return self.run(position + 2, "}", quote)
        if letter == '"' and quote != '"':
            return self.run(position + 1, '"', '"')
        if letter == "'" and not quote:
            end = self.text.find("'", position + 1)
            self._look(position + 1, end, "'")
            return len(self.text) if end < 0 else end + 1
        if letter == "(" and not quote:
            return self.run(position + 1, ")")
        if letter == "#" and not quote and self._begins_word(position):
            end = self.text.find("\n", position)
            return len(self.text) if end < 0 else end
        if self._begins_command(position):
            self.places.append(Place(position, quote))
        return position + 1

    def _behind_redirection(self, position: int) -> int:
        if self.text.startswith("<<<", position):
            return position + 3
        here = _HERE_DOCUMENT.match(self.text, position)
        if not here:
            return position + 1
        end = re.compile(rf"^\s*{here[2]}$", re.MULTILINE).search(self.text, here.end())
        stop = end.start() if end else len(self.text)
        content = _Scan(self.text[here.end() : stop], self.name)
        if here[1]:
            content._look(0, -1, "'")
        else:
            content.run(0, "", '"')
        self.places += [Place(place.start + here.end(), place.quote) for place in content.places]
        return stop

    def _look(self, start: int, end: int, quote: str) -> None:
        stop = len(self.text) if end < 0 else end
        self.places += [Place(p, quote) for p in range(start, stop) if self._begins_command(p)]

    def _begins_word(self, position: int) -> bool:
        return position == 0 or self.text[position - 1] in " \t\n;&|("

    def _begins_command(self, position: int) -> bool:
        before = self.text[position - 1] if position else "\n"
        if before not in " \t\n;&|(!\"'`" or not self._calls.match(self.text, position):
            return False
        line = self.text[self.text.rfind("\n", 0, position) + 1 : position]
        return not _NO_CALL.search(line)


def commands(text: str, name: str) -> Iterator[tuple[Place, list[str]]]:
    """Yield each call of a program, and where messages name one, with the words after its name.

    Args:
        text: of a script.
        name: of the program.
    """
    scan = _Scan(text, name)
    scan.run(0, "")
    for place in scan.places:
        yield place, words(text, place.start, quote=place.quote)[1:]


def words(text: str, start: int, *, quote: str = "") -> list[str]:
    """Return the words of the command that begins at a position.

    Variables and commands inside become `PLACEHOLDER`; an array that the same text defines, its
    items.

    Args:
        text: of a script.
        start: of the command.
        quote: ends the command too, where it stands inside of a quoted text.
    """
    found: list[str] = []
    position = start
    while position < len(text):
        letter = text[position]
        comment = letter == "#" and text[position - 1] in " \t"
        if letter == quote or letter in _ENDS or comment:
            break
        if letter in " \t":
            position += 1
        elif text.startswith("\\\n", position):
            position += 2
        elif redirection := re.match(r"\d(?=[<>])", text[position:]):
            position += redirection.end()
        elif array := _WHOLE_ARRAY.match(text, position):
            found += _items(text, array[1])
            position = array.end()
        else:
            word, position = _word(text, position, quote)
            found.append(word)
    return found


def _items(text: str, array: str) -> list[str]:
    for definition in _ARRAY.finditer(text):
        if definition[1] == array:
            end = _Scan(text, "").run(definition.end(), ")") - 1
            body = text[definition.end() : end]
            return words(" ".join(body.split("\n")), 0)
    raise ValueError(f"the array {array} is not defined")


def _word(text: str, position: int, quote: str) -> tuple[str, int]:
    word = ""
    while position < len(text):
        letter = text[position]
        if letter == quote or letter in " \t" + _ENDS or text.startswith("\\\n", position):
            break
        if letter in "\"'":
            part, position = _quoted(text, position)
        elif letter == "$":
            part, position = PLACEHOLDER, _behind_expansion(text, position)
        else:
            position += letter == "\\"
            part, position = text[position], position + 1
        word += part
    return word, position


def _quoted(text: str, position: int) -> tuple[str, int]:
    mark, position, content = text[position], position + 1, ""
    while position < len(text) and text[position] != mark:
        if mark == '"' and text[position] == "$":
            content, position = content + PLACEHOLDER, _behind_expansion(text, position)
            continue
        position += mark == '"' and text[position] == "\\"
        content, position = content + text[position], position + 1
    return content, position + 1


def _behind_expansion(text: str, position: int) -> int:
    if text.startswith("$(", position):
        return _Scan(text, "").run(position + 2, ")")
    if text.startswith("${", position):
        return _Scan(text, "").run(position + 2, "}", '"')
    name = re.match(r"\$(\w+|.)", text[position:])
    return position + (name.end() if name else 1)
