"""What a step is written in: its file, and the app's own modules that this imports.

Only what an import statement names is seen, wherever in a file it stands. Imaginem's own code and
installed packages count by their versions, elsewhere.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_COUNTED_BY_VERSION = "imaginem"


@lru_cache
def sources_of(file: str) -> str:
    """Return one SHA-256 of a step's file and of the app's modules that it needs.

    Args:
        file: of the step. The app's folder is the first above it that is no package.

    Returns:
        Empty if one of them can't be read: then nobody can tell what the step is.
    """
    if not file:
        return ""
    try:
        return _digest(Path(file))
    except (OSError, SyntaxError, ValueError):
        return ""


def _digest(file: Path) -> str:
    app = _app_of(file)
    waiting, known = [file], {file}
    digest = {}
    while waiting:
        path = waiting.pop()
        source = path.read_bytes()
        digest[path.relative_to(app).as_posix()] = hashlib.sha256(source).hexdigest()
        for needed in _modules(path, source, app):
            if needed not in known:
                known.add(needed)
                waiting.append(needed)
    return hashlib.sha256(repr(sorted(digest.items())).encode()).hexdigest()


def _app_of(file: Path) -> Path:
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _modules(path: Path, source: bytes, app: Path) -> Iterator[Path]:
    """Yield the files of an app's modules that one of its files imports."""
    package = path.relative_to(app).parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(app, tuple(alias.name.split(".")))
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = (*above, *(node.module.split(".") if node.module else ()))
            yield from _files(app, base)
            for alias in node.names:  # of a package it may be a module
                yield from _files(app, (*base, alias.name))


def _files(app: Path, module: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a module and of the packages that it lies in, as far as there are."""
    if module[:1] == (_COUNTED_BY_VERSION,):
        return
    for end in range(1, len(module) + 1):
        place = app.joinpath(*module[:end])
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                yield file
