"""What is kept of a model's words and numbers: one line each, not too long, within bounds."""

import math
import re

from imaginem.redaction import CONTROLS

_CONTROL = re.compile(f"[{CONTROLS}]")


def clean(text: str, limit: int) -> str:
    """Return a text on one line, without control characters, cut at `limit` characters.

    Signs that turn the direction of a line are taken out, too. An unpaired surrogate, which JSON
    can hold but UTF-8 can't, becomes a question mark.
    """
    plain = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())
    return " ".join(plain.split())[:limit].rstrip()


def share(number: float) -> float:
    """Return a number within 0 and 1; 0 for what is no number."""
    return round(min(max(number, 0.0), 1.0), 4) if math.isfinite(number) else 0.0
