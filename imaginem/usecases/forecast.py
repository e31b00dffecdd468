"""What a batch will take and cost, told before it starts.

Where this installation has taken enough photos through a step, with the same engines, its own
averages count; for other steps there is a model. How many faces the photos will show is what
nobody knows before: so there is a range.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from imaginem.errors import InvalidMessage
from imaginem.ports import Amount, Amounts, DashboardServices, Groups, LedgerItem
from imaginem.ports.ledger import FUNCTIONS, STEP, STORAGE, added
from imaginem.usecases import forecast_model as model
from imaginem.usecases.costs import Costs, priced
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
        unknown_steps: steps of which neither is there: only their executions are in it.
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
    photos: int,
    pipeline: Sequence[str] = (),
    *,
    faces: float | None = None,
    groups: Groups = None,
) -> Forecast:
    """Return what so many photos will take.

    Args:
        services: of the app.
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

    def taken(faces_of_photo: float) -> Costs:
        thousand = _thousand_photos(seen, names, faces_of_photo)
        amounts = {item: _times(amount, photos / 1000) for item, amount in thousand.items()}
        return priced(amounts, services.prices)

    measured = [name for name in names if seen.has(name)]
    others = [name for name in names if name not in measured]
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
    seen: _Seen, pipeline: Sequence[str], faces: float
) -> dict[LedgerItem, Amount]:
    sending = seen.thousand(SENDING) if seen.has(SENDING) else model.sending()
    parts: list[Amounts] = [sending]
    modelled: list[tuple[str, float]] = []
    for place, step in enumerate(pipeline):
        if seen.has(step):
            parts.append(_with_faces(seen.thousand(step), seen.faces(), faces))
            continue
        last = place == len(pipeline) - 1
        assumed = model.model_of(step, seen.setup, faces, place=place, last=last)
        modelled.append((step, assumed[LedgerItem(step, STEP, "run")].seconds / 1000))
        parts.append(assumed)
    return added(*parts, *_executions(seen, modelled, pipeline))


def _executions(
    seen: _Seen, modelled: Sequence[tuple[str, float]], pipeline: Sequence[str]
) -> list[Amounts]:
    """Return the executions of steps that were not measured: the others' are measured, too."""
    if not modelled:
        return []
    if seen.setup.split()[-1:] == ["unfused"]:
        return [model.executions(step, seconds) for step, seconds in modelled]
    seconds = sum(seconds for _, seconds in modelled)
    if modelled[0][0] != pipeline[0]:  # they go on in the execution of a step before
        item = LedgerItem(pipeline[0], FUNCTIONS, "execution")
        return [{item: Amount(seconds=seconds * 1000)}]
    return [model.executions(pipeline[0], seconds)]


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
