"""What the listeners of one host share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from imaginem.host.duplicates import SeenThrough
from imaginem.host.leases import Unbegun
from imaginem.host.turns import Turns


def _inline(call: Callable[[], object]) -> None:
    call()


@dataclass(frozen=True)
class Surroundings:
    """What the listeners of one host share.

    Attributes:
        seen: messages that were seen through; their copies are dropped.
        turns: is told what came and what is to come.
        aside: makes a call to storage for which nobody has to wait.
        on_ended: called when a function has ended, with the queues to which it has sent.
        on_sent: called when a listener itself has sent a message, with the queues.
        unbegun: deliveries that no worker began.
    """

    seen: SeenThrough = field(default_factory=SeenThrough)
    turns: Turns | None = None
    aside: Callable[[Callable[[], object]], None] = _inline
    on_ended: Callable[[Sequence[str]], None] = lambda sent: None
    on_sent: Callable[[Sequence[str]], None] = lambda sent: None
    unbegun: Unbegun = field(default_factory=Unbegun)
