"""Breaks import walls in this folder one after the other, and prints what import-linter says.

Reads JSON from its standard input: by name, a file and a line that is added to it. Prints JSON: by
name, the exit code of the check and its output as one line; under "" those of the walls as they
stand. All in one process, since a process for each wall would load the linter as often.
"""

import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path

from importlinter.cli import lint_imports


@contextmanager
def broken(path: Path, line: str) -> Iterator[None]:
    """Add a line to the end of a file, or make the file, for a while."""
    before = path.read_text("utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n", "utf-8")
    yield
    if before is not None:
        path.write_text(before, "utf-8")
    elif path.name == "__init__.py":
        shutil.rmtree(path.parent)
    else:
        path.unlink()


def check() -> tuple[int, str]:
    """Run import-linter; return its exit code and its output as one line."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = lint_imports(no_cache=True, no_logo=True)
    return code, " ".join(said.getvalue().split())


def main() -> None:
    """Break each wall."""
    breaks: dict[str, tuple[str, str]] = json.load(sys.stdin)
    reports = {}
    for name, (file, line) in {"": ("", ""), **breaks}.items():
        with broken(Path(file), line) if file else nullcontext():
            reports[name] = check()
    json.dump(reports, sys.stdout)


if __name__ == "__main__":
    main()
