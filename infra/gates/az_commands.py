"""Finds every `az` command: in scripts, workflows, documents and messages of the code."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.gates.shell import PLACEHOLDER, commands, words

_NAME = "az"
_INLINE = re.compile(r"`az ([a-z][^`]*)`")
_FENCE = re.compile(r"^( *)```[a-z]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"^( *)(?:- )?run: *(?:[|>][-+]?\n((?:\1 +.*\n|\n)*)|(.*)\n)", re.MULTILINE)
_GITHUB = re.compile(r"\$\{\{.*?\}\}")


@dataclass(frozen=True)
class Command:
    """A command as it is written somewhere.

    Attributes:
        file: path in the repository.
        line: where it begins.
        words: what follows `az`; variables are replaced by a placeholder.
        named_only: it is named in prose without its options, so none can be missing.
    """

    file: str
    line: int
    words: tuple[str, ...]
    named_only: bool = False

    @property
    def place(self) -> str:
        """`file:line`, as editors read it."""
        return f"{self.file}:{self.line}"


def find_commands(root: Path) -> list[Command]:
    """Return the commands of a repository, in the order of its files."""
    return [
        command
        for path in _files(root)
        for command in commands_of(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    ]


def _files(root: Path) -> list[Path]:
    patterns = (
        *("infra/*.sh", "infra/*.yaml", "infra/*.py", "infra/*.bicepparam", ".ci/run"),
        *(".github/workflows/*.yml", "docs/*.md", "*.md", "Makefile"),
        *("imaginem/**/*.py", "steps/*.py"),
    )
    return sorted({path for pattern in patterns for path in root.glob(pattern)})


def commands_of(file: str, text: str) -> list[Command]:
    """Return the commands of one file; its name says how it is read."""
    if file.endswith(".md"):
        return [*_in_fences(file, text), *_inline(file, _FENCE.sub(_blank, text))]
    if file.endswith(".py"):
        return list(_in_python(file, text))
    if file.endswith((".yml", ".yaml")):
        return [*_in_workflow(file, text), *_inline(file, text)]
    if file == "Makefile":
        recipes = [line if line.startswith("\t") else "" for line in text.split("\n")]
        return list(_in_shell(file, "\n".join(recipes)))
    if file.endswith(".bicepparam"):
        return list(_inline(file, text))
    return [*_in_shell(file, text), *_inline(file, _only_comments(text))]


def _in_shell(file: str, text: str, first_line: int = 1) -> Iterator[Command]:
    for place, found in commands(text, _NAME):
        line = first_line + text.count("\n", 0, place.start)
        yield _command(file, line, found, in_prose=bool(place.quote))


def _inline(file: str, text: str) -> Iterator[Command]:
    for match in _INLINE.finditer(text):
        line = 1 + text.count("\n", 0, match.start())
        yield _command(file, line, words(" ".join(match[1].split()), 0), in_prose=True)


def _in_fences(file: str, text: str) -> Iterator[Command]:
    for match in _FENCE.finditer(text):
        yield from _in_shell(file, match[2], 1 + text.count("\n", 0, match.start(2)))


def _in_workflow(file: str, text: str) -> Iterator[Command]:
    for match in _RUN.finditer(text):
        group = 2 if match[2] is not None else 3
        script = _GITHUB.sub(PLACEHOLDER, match[group])
        yield from _in_shell(file, script, 1 + text.count("\n", 0, match.start(group)))


def _in_python(file: str, text: str) -> Iterator[Command]:
    tree = ast.parse(text)
    parts = {
        id(value) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for value in n.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            content = "".join(
                str(v.value) if isinstance(v, ast.Constant) else PLACEHOLDER for v in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            content = "" if id(node) in parts else node.value
        else:
            continue
        for command in _inline(file, content):
            yield Command(file, node.lineno, command.words, command.named_only)


def _command(file: str, line: int, found: list[str], *, in_prose: bool) -> Command:
    if in_prose and found:
        found = [*found[:-1], found[-1].rstrip(".,:")]
    with_options = any(word.startswith("-") for word in found)
    return Command(file, line, tuple(found), named_only=in_prose and not with_options)


def _only_comments(text: str) -> str:
    return "\n".join(line if line.lstrip().startswith("#") else "" for line in text.split("\n"))


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")
