"""Progress bars of what is fetched."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from imaginem.assets.fetch import Report


@contextmanager
def bars(console: Console) -> Iterator[Report]:
    """Give a function to report to, which shows a bar for each name."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        shown: dict[str, TaskID] = {}

        def report(name: str, done: int, size: int) -> None:
            if name not in shown:
                shown[name] = progress.add_task(name, total=size)
            progress.update(shown[name], completed=done, total=max(size, done))

        yield report
