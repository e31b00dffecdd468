"""What the tables have in common."""

from datetime import UTC, datetime

from sqlalchemy.orm import DeclarativeBase

KEY = 512
"""Characters of a batch id or a job id at most, as in the log table."""


def now() -> datetime:
    """Return the current moment."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of the tables."""
