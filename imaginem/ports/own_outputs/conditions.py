"""What may be asked for of the outputs of own steps: `blurriness.sharpness>=100`."""

import operator
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from imaginem.errors import InvalidMessage
from imaginem.ports.own_outputs.fields import Kind, OutputField
from imaginem.ports.own_outputs.index import Fact, as_moment, as_text

COMPARED = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
"""What the signs mean, for numbers."""
_NAME = r"[A-Za-z][\w]*(?:\.\w+)+"
_SIGN = ">=|<=|!=|=|>|<"
_EQUAL = ("=", "!=")
_AND = re.compile(rf"\s+and\s+(?={_NAME}\s*(?:{_SIGN}))")
_CONDITION = re.compile(rf"\s*({_NAME})\s*({_SIGN})\s*(.*?)\s*", re.DOTALL)
_BOOLEANS = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}
_DAY_LENGTH = 10
MOST_CONDITIONS = 10


@dataclass(frozen=True)
class Condition:
    """Which photos: those of which a step said this in a field; of a list, in any entry.

    With `!=`, those of which it said something in the field, and this in no entry: a photo of which
    it said nothing, or that it never looked at, is not known to be otherwise.

    Attributes:
        name: step and field.
        sign: a key of `COMPARED`; `=` or `!=` for a text.
        number, text: one of them; as of `Fact`.
        before: with `!=` all numbers from `number` on and before this one are meant, as of a day.
    """

    name: str
    sign: str
    number: float | None = None
    text: str | None = None
    before: float | None = None

    @property
    def unwanted(self) -> "Condition | None":
        """What no entry may say, where the sign is `!=`."""
        return replace(self, sign="=") if self.sign == "!=" else None

    def is_met_by(self, facts: Collection[Fact]) -> bool:
        """Tell whether a photo meets it."""
        met = any(fact.name == self.name and self._meets(fact) for fact in facts)
        return met and not (self.unwanted and self.unwanted.is_met_by(facts))

    def _meets(self, fact: Fact) -> bool:
        compare = COMPARED[self.sign]
        if self.text is not None:
            return fact.text is not None and bool(compare(fact.text, self.text))
        assert self.number is not None  # noqa: S101 - it has one of the two
        if fact.number is None:
            return False
        if self.before is not None:
            within = self.number <= fact.number < self.before
            return within is (self.sign == "=")
        return bool(compare(fact.number, self.number))


def named_fields(step: str, fields: Collection[OutputField]) -> Iterator[tuple[str, OutputField]]:
    """Yield the fields that may be asked for, with step and field as their names."""
    for field in fields:
        if not field.searchable:
            continue
        if field.kind is Kind.OBJECTS:
            yield from named_fields(f"{step}.{field.name}", field.columns)
        elif field.kind not in (Kind.BOX, Kind.NUMBERS, Kind.PAIRS):
            yield f"{step}.{field.name}", field


def read_conditions(text: str, fields: Mapping[str, OutputField]) -> tuple[Condition, ...]:
    """Read conditions with ` and ` between them.

    Args:
        text: of a person or a program.
        fields: that may be asked for, by step and field.

    Raises:
        InvalidMessage: it can't be read; says what may be asked for.
    """
    parts = [part for part in _AND.split(text) if part.strip()]
    if len(parts) > MOST_CONDITIONS:
        raise InvalidMessage(f"where: at most {MOST_CONDITIONS} conditions")
    return tuple(each for part in parts for each in _read(part, fields))


def _read(text: str, fields: Mapping[str, OutputField]) -> list[Condition]:
    read = _CONDITION.fullmatch(text)
    if read is None:
        raise InvalidMessage(
            f"where: {_quoted(text)} is no condition: write it like step.field>=5, with one of "
            f"{' '.join(COMPARED)}"
        )
    name, sign, value = read.groups()
    if name not in fields:
        raise InvalidMessage(f"where: no field is named {_quoted(name)}; {_known(name, fields)}")
    kind = fields[name].kind
    if kind in (Kind.TEXT, Kind.WORDS):
        if sign not in _EQUAL or not value:
            raise InvalidMessage(
                f"where: {name} is a text: ask for {name}=something or {name}!=something"
            )
        return [Condition(name, sign, text=as_text(value))]
    try:
        return _comparisons(name, sign, value, kind)
    except (ValueError, KeyError, OverflowError):
        wanted = {
            Kind.BOOLEAN: "true or false",
            Kind.MOMENT: "a day such as 2026-01-31, or a moment",
        }.get(kind, "a number")
        raise InvalidMessage(
            f"where: {name} is compared with {wanted}, not with {_quoted(value)}"
        ) from None


def _comparisons(name: str, sign: str, value: str, kind: Kind) -> list[Condition]:
    """Return a condition; two for a whole day.

    Raises:
        ValueError, KeyError, OverflowError: the value is not of this kind.
    """
    if kind is Kind.NUMBER:
        number = float(value)
        if number != number or abs(number) == float("inf"):
            raise ValueError(value)
        return [Condition(name, sign, number)]
    if kind is Kind.BOOLEAN:
        if sign not in _EQUAL:
            raise ValueError(sign)
        return [Condition(name, sign, _BOOLEANS[value.lower()])]
    if len(value) > _DAY_LENGTH:
        return [Condition(name, sign, as_moment(value))]
    day = date.fromisoformat(value)
    begin, end = (as_moment(each.isoformat()) for each in (day, day + timedelta(days=1)))
    return {
        "=": [Condition(name, ">=", begin), Condition(name, "<", end)],
        ">=": [Condition(name, ">=", begin)],
        "<": [Condition(name, "<", begin)],
        ">": [Condition(name, ">=", end)],  # after that day
        "<=": [Condition(name, "<", end)],
        "!=": [Condition(name, "!=", begin, before=end)],
    }[sign]


def _known(name: str, fields: Collection[str]) -> str:
    """Return which fields there are: those of the step that was named, if it has any."""
    step = name.partition(".")[0]
    of_step = [each for each in fields if each.startswith(f"{step}.")]
    known = (of_step or sorted(fields))[:30]
    return f"fields are {', '.join(known)}" if known else "no step here has fields"


def _quoted(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    return repr(shown)
