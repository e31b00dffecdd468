"""The trivial functions as steps."""

from benchmarks.trivial.work import NAMES, work
from imaginem import JobContext, StepOutput, step
from imaginem.pipeline.steps import Registry


class Found(StepOutput):
    """What a trivial step finds."""

    text: str


def _add(registry: Registry, name: str) -> None:
    def run(job: JobContext) -> Found:
        """Do nothing."""
        return Found(text=work(name))

    run.__name__ = name
    step(registry=registry)(run)


def make_registry() -> Registry:
    """Return a registry of the seven steps."""
    registry = Registry()
    for name in NAMES:
        _add(registry, name)
    return registry
