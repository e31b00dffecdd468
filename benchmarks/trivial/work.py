"""The seven trivial functions; Imaginem's steps and Celery's tasks call the same ones."""

NAMES = tuple(f"trivial{word}" for word in ("one", "two", "three", "four", "five", "six", "seven"))
"""Of the steps, the tasks and their queues, in the order in which a job visits them."""


def work(name: str) -> str:
    """Return what step `name` finds: 200 characters."""
    return name.ljust(200, "x")
