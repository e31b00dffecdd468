"""What the command line prints on terminals: nothing that files and senders named moves them."""

from typing import Any

from rich.console import Console
from rich.text import Text

from imaginem.redaction import escaped


def visible(text: str) -> str:
    r"""Return a text with each sign that moves a cursor or turns a line written as `\u202e`."""
    return escaped(text.replace("\r\n", "\n"))


class Terminal(Console):
    """A console on which names and texts of photos are shown as they are.

    Control characters and those that turn a line around are written out, and `:name:` is no emoji.
    A `Text` is printed as it is: make it of a text that is `visible`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text with its markup, as `Console` does."""
        return super().render_str(visible(text), **options)
