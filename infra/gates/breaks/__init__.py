"""Ways to break the Bicep files, each of which a gate must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """A change that makes a file wrong, and a part of the problem that must be reported.

    Attributes:
        what: is wrong then.
        file: that is changed, from the folder of main.bicep.
        old: text of the file that is replaced, wherever it occurs.
        new: text instead of it.
        reported: part of a problem that the gates must report.
    """

    what: str
    file: str
    old: str
    new: str
    reported: str
