"""Reads the code, once: between the breaks of the Bicep files it does not change."""

from functools import cache
from pathlib import Path


@cache
def source(root: Path, *, without: str = "") -> str:
    """Return the text of all modules of a repository's `imaginem`.

    Args:
        root: of the repository.
        without: name of a folder that is left out.
    """
    return "\n".join(
        path.read_text("utf-8")
        for path in (root / "imaginem").rglob("*.py")
        if without not in path.parts
    )
