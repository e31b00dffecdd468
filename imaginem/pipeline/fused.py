"""A fused run: consecutive steps of a job in one delivery of its message.

A queue between two steps costs a message to send, to receive and to delete, and the photo is read
again behind it. So a step that has ended hands on to the next one in the same delivery, until one
of these comes:

* the job ends, or its next step is another app's, stands `alone`, or is in another group;
* a step is to be tried again, or fails in a way that its host must count: it gets a message on its
  own queue, where tries are counted, and poisoned, as they always are;
* the budget of time is used up;
* the row was changed by somebody else: then the message that is sent looks before it acts.

Nothing else differs from a delivery for each step: outcomes are recorded in the same row, under the
same fence, by `imaginem.pipeline.recording`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from imaginem.message import JobMessage
from imaginem.pipeline.context import SharedPhoto
from imaginem.pipeline.fence import Claim
from imaginem.pipeline.loading import Delivery
from imaginem.pipeline.openings import opening_of
from imaginem.pipeline.progress_row import RowChange
from imaginem.pipeline.recording import Recorder
from imaginem.pipeline.steps import AnyStep, Registry
from imaginem.ports import Services

BUDGET_SECONDS = 60.0
"""No step begins later in a delivery than this.

A function may run for ten minutes (`functionTimeout` in host.json); so nine are left for the last
step, about as many as it would have by itself. Hosts keep a message hidden for as long as its
function runs. The whole pipeline takes a second on local models, and a few on Azure's services.
"""
LOOK_AGAIN_SECONDS = 1.0
"""A look for tombstones, or a write that found the row in its place, counts for so long."""


@dataclass
class FusedRun:
    """What the steps of one delivery have in common.

    Attributes:
        delivery: of the message.
        clock: returns seconds since any fixed moment.
        ends: when no step begins any more, by the clock; None for the delivery of a single step.
        message: that was delivered.
        recorder: of outcomes, once the job is claimed.
        photo: of the job, decoded once.
    """

    delivery: Delivery
    services: Services
    registry: Registry
    clock: Callable[[], float]
    ends: float | None = None
    message: JobMessage | None = None
    photo: SharedPhoto = field(default_factory=SharedPhoto)
    recorder: Recorder = field(init=False)

    def hold(self, claim: Claim, *, proven: bool) -> None:
        """Take the claim on the job.

        Args:
            claim: of the delivery.
            proven: whether storage was just asked for the row, or for tombstones.
        """
        again = self.delivery.dequeue_count > 1  # then a step may be what ends the process
        self.recorder = Recorder(claim, self.services, at_once=again, clock=self.clock)
        if not proven:
            self.recorder.proven -= LOOK_AGAIN_SECONDS

    def end(self) -> None:
        """See that nothing is written any more: the delivery is over."""
        if "recorder" in vars(self):  # not before the job was claimed
            self.recorder.end()

    def goes_on(self, step: AnyStep, following: str) -> bool:
        """Tell whether the next step runs in this delivery, too."""
        if self.ends is None or following not in self.registry:
            return False
        if step.alone or self.registry.get(following).alone:
            return False
        if not self.services.core_settings.fusion.joins(step.name, following):
            return False
        return self.clock() < self.ends and not self.recorder.claim.disturbed

    def is_onward(self, step: AnyStep) -> bool:
        """Tell whether a step runs in the delivery of an earlier one."""
        return self.message is not None and self.message.current != step.name

    def keep(self, step: AnyStep, change: RowChange, message: JobMessage) -> JobMessage:
        """Keep how a step ended; return the message as the next step gets it.

        Args:
            step: that ended.
            change: of the row.
            message: for the next step.

        Raises:
            AlreadyConcluded: another execution was quicker.
            JobErased: the job was erased.
        """
        services, put = self.services, self.delivery.put  # not `self`: the claim is part of it
        following = replace(
            self.recorder.claim,
            step=message.current,
            opening=lambda: opening_of(message, services, put),
        )
        self.recorder.keep(step.name, change, following)
        return message.noting(run=self.recorder.claim.run)

    def is_erased(self) -> bool:
        """Tell, between two steps, whether the job was erased.

        Where this process has not met an erasure, it costs nothing: an erasure takes the row away,
        so that nothing more can be recorded.
        """
        recorder = self.recorder
        if not self.services.erased.are_known():
            return False
        if self.clock() - recorder.proven < LOOK_AGAIN_SECONDS:
            return False
        recorder.proven = self.clock()
        return recorder.claim.is_erased()
