"""What a batch will take and cost, told before it starts.

Where this installation has taken enough photos through a step, with the same engines, its own
averages count; for other steps there is a model. How many faces the photos will show is what
nobody knows before: so there is a range.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.errors import InvalidMessage
from imaginem.pipeline.registry import Registry
from imaginem.ports import Amount, Amounts, DashboardServices, Groups, LedgerItem
from imaginem.ports.ledger import FUNCTIONS, STEP, STORAGE, added
from imaginem.usecases import forecast_model as model
from imaginem.usecases.costs import Costs, priced
from imaginem.usecases.forecast_plan import Planned, executions_of, planned
from imaginem.usecases.submit import SENDING

ENOUGH = 20
"""Photos that a step must have seen for its own averages to count."""
_BATCHES = 20
_MOST_PHOTOS = 100_000_000
_MOST_FACES = 1000.0
_ADDED = LedgerItem("faceprint", "face", "add face")
_CROP = LedgerItem("facecrop", STORAGE, "blob write")


@dataclass(frozen=True)
class Faces:
    """How many faces a photo shows on average: what is expected, and within which range.

    Attributes:
        known: it was said, or seen in this installation's photos; else it is assumed.
    """

    expected: float
    fewest: float
    most: float
    known: bool


@dataclass(frozen=True)
class Forecast:
    """What a batch will take.

    Attributes:
        faces: of a photo.
        expected: with as many faces as expected.
        least: with the fewest.
        most: with the most.
        measured: steps whose figures are this installation's own.
        assumed: steps whose figures are the model's.
        unknown_steps: steps of which neither is there: only their executions and storage operations
            are in it.
    """

    photos: int
    pipeline: Sequence[str]
    faces: Faces
    expected: Costs
    least: Costs
    most: Costs
    measured: Sequence[str]
    assumed: Sequence[str]
    unknown_steps: Sequence[str]


def forecast(
    services: DashboardServices,
    registry: Registry,
    photos: int,
    pipeline: Sequence[str] = (),
    *,
    faces: float | None = None,
    groups: Groups = None,
) -> Forecast:
    """Return what so many photos will take.

    Args:
        services: of the app.
        registry: of the app's steps: which share a delivery, and which gather photos.
        photos: their number.
        pipeline: names of their steps; empty for the default pipeline.
        faces: of a photo on average, where that is known.
        groups: whose batches may be looked at for it; None for all.

    Raises:
        InvalidMessage: a number is negative or too large.
    """
    if not 0 <= photos <= _MOST_PHOTOS:
        raise InvalidMessage(f"photos: give a number from 0 to {_MOST_PHOTOS:,}")
    if faces is not None and not 0 <= faces <= _MOST_FACES:
        raise InvalidMessage(f"faces: give a number from 0 to {_MOST_FACES:,.0f}")
    names = list(pipeline or services.core_settings.default_pipeline)
    seen = _Seen(services.ledger.sums(setup=services.setup), services.setup)
    told = _faces(services, faces, groups)

    deliveries = planned(names, registry, services.core_settings)
    measured = [step.name for steps in deliveries for step in steps if seen.tells(step)]
    others = [name for name in names if name not in measured]
    missing = [
        item
        for name in others
        for item in model.tokens_missing(name, services.setup)
        if item.service not in services.prices.free_here
    ]

    def taken(faces_of_photo: float) -> Costs:
        thousand = _thousand_photos(seen, deliveries, faces_of_photo, photos)
        amounts = {item: _times(amount, photos / 1000) for item, amount in thousand.items()}
        return priced(amounts, services.prices, unmeasured=frozenset(missing))

    return Forecast(
        photos,
        names,
        told,
        expected=taken(told.expected),
        least=taken(told.fewest),
        most=taken(told.most),
        measured=measured,
        assumed=[name for name in others if model.is_known(name, services.setup)],
        unknown_steps=[name for name in others if not model.is_known(name, services.setup)],
    )


class _Seen:
    """What this installation took with the same engines."""

    def __init__(self, sums: Amounts, setup: str) -> None:
        self._sums, self.setup = sums, setup

    def photos(self, step: str) -> int:
        return self._sums.get(LedgerItem(step, STEP, "end"), Amount()).calls

    def has(self, step: str) -> bool:
        return self.photos(step) >= ENOUGH

    def tells(self, step: Planned) -> bool:
        """Tell whether the figures of a step are those of the step as it is planned.

        What was measured before a step gathered photos says nothing of how it gathers them.
        """
        if not self.has(step.name):
            return False
        return not step.group or self.deliveries(step.name) > step.deliveries - 0.5

    def deliveries(self, step: str) -> float:
        """Return how many executions of a photo began with a step."""
        whole = self._sums.get(LedgerItem(step, FUNCTIONS, "execution"), Amount()).calls
        return whole / self.photos(step)

    def thousand(self, step: str) -> dict[LedgerItem, Amount]:
        """Return what a thousand photos took in a step."""
        factor = 1000 / self.photos(step)
        return {
            item: _times(amount, factor) for item, amount in self._sums.items() if item.step == step
        }

    def faces(self) -> float:
        """Return the faces of a photo that these figures are of; 0 if nothing tells it."""
        for item in (_ADDED, _CROP):
            if item in self._sums and self.has(item.step):
                return self._sums[item].calls / self.photos(item.step)
        return 0.0


def _thousand_photos(
    seen: _Seen, deliveries: Sequence[Sequence[Planned]], faces: float, photos: int
) -> dict[LedgerItem, Amount]:
    sending = seen.thousand(SENDING) if seen.has(SENDING) else model.sending()
    parts: list[Amounts] = [sending]
    for steps in deliveries:
        parts += _of_delivery(seen, steps, faces, photos)
    return added(*parts)


def _of_delivery(seen: _Seen, steps: Sequence[Planned], faces: float, photos: int) -> list[Amounts]:
    """Return what the steps of a delivery take, and its executions.

    Executions that were measured count if the step that they began with begins the delivery now,
    too; those of steps that are not measured go on in them.
    """
    parts: list[dict[LedgerItem, Amount]] = []
    seconds = guessed = 0.0
    for step in steps:
        if seen.tells(step):
            part = _with_faces(seen.thousand(step.name), seen.faces(), faces)
            if round(seen.deliveries(step.name)) != step.deliveries:
                part = _without_deliveries(part)
        else:
            part = model.model_of(step, seen.setup, faces, photos)
            guessed += part[LedgerItem(step.name, STEP, "run")].seconds / 1000
        seconds += part.get(LedgerItem(step.name, STEP, "run"), Amount()).seconds / 1000
        parts.append(part)
    execution = LedgerItem(steps[0].name, FUNCTIONS, "execution")
    if execution in parts[0]:
        return [*parts, {execution: Amount(seconds=guessed * 1000)}]
    return [*parts, executions_of(steps[0], seconds, photos)]


def _without_deliveries(amounts: Amounts) -> dict[LedgerItem, Amount]:
    """Return amounts without those of executions."""
    return {
        item: amount
        for item, amount in amounts.items()
        if item.service != FUNCTIONS and item.operation != "queue host"
    }


def _with_faces(amounts: Amounts, measured: float, faces: float) -> dict[LedgerItem, Amount]:
    """Return amounts as they are with another number of faces."""
    if not measured:
        return dict(amounts)
    return {
        item: _times(amount, faces / measured) if _is_per_face(item) else amount
        for item, amount in amounts.items()
    }


def _is_per_face(item: LedgerItem) -> bool:
    return item.operation in model.PER_FACE or item == _CROP


def _faces(services: DashboardServices, said: float | None, groups: Groups) -> Faces:
    """Return how many faces to reckon with: as said, as in earlier batches, or as assumed."""
    if said is not None:
        return Faces(said, said, said, known=True)
    batches = [
        batch
        for batch in services.batches.batches(groups, "", _BATCHES).batches
        if batch.done >= ENOUGH
    ]
    if not batches:
        return Faces(model.USUAL_FACES, model.FEWEST_FACES, model.MOST_FACES, known=False)
    averages = [batch.faces / batch.done for batch in batches]
    whole = sum(batch.faces for batch in batches) / sum(batch.done for batch in batches)
    if len(batches) == 1:  # one batch tells nothing of how different they are
        return Faces(whole, whole / 2, whole * 2, known=True)
    return Faces(whole, min(averages), max(averages), known=True)


def _times(amount: Amount, factor: float) -> Amount:
    return Amount(
        round(amount.calls * factor),
        round(amount.billed * factor),
        amount.seconds * factor,
        round(amount.tokens_in * factor),
        round(amount.tokens_out * factor),
    )
