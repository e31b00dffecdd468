"""What the model is asked: texts in files, which an operator may replace by files of a folder."""

import functools
import hashlib
from pathlib import Path
from string import Template

from imaginem.errors import ConfigurationError
from imaginem.ports.categories import CATEGORIES

_OURS = Path(__file__).parent / "prompts"
_LONGEST = 20_000  # bytes; ours have less than two thousand
_DIGEST = 8


@functools.lru_cache(maxsize=32)
def prompt(name: str, folder: Path | None = None, *, needs: str = "") -> str:
    """Return a prompt; it is read once in a process.

    Args:
        name: of the file, without `.txt`.
        folder: where a file of this name takes the place of ours.
        needs: a word that it must hold as `$word`, to be filled in later.

    Raises:
        ConfigurationError: the file can't be read, or lacks the word.
    """
    file = (folder or _OURS) / f"{name}.txt"
    if folder and not file.exists():
        file = _OURS / file.name
    try:
        data = file.read_bytes()
        text = data.decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError(
            f"OPENAI_PROMPTS: {file} can't be read as UTF-8 text ({type(problem).__name__})"
        ) from None
    if not text or len(data) > _LONGEST:
        raise ConfigurationError(
            f"OPENAI_PROMPTS: {file} has {len(data)} bytes: give 1 to {_LONGEST}"
        )
    if needs and f"${needs}" not in text and f"${{{needs}}}" not in text:
        raise ConfigurationError(f"OPENAI_PROMPTS: {file} lacks ${needs}: write it where it goes")
    return filled(text, categories=", ".join(CATEGORIES))


def filled(text: str, **words: str) -> str:
    """Return a prompt with words filled in for `$name`; other dollar signs stay."""
    return Template(text).safe_substitute(words)


def digest(text: str) -> str:
    """Return a short digest of a prompt: an engine with another prompt has another name."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
