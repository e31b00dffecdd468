"""The price list: the one that comes with Imaginem, and what an operator says instead."""

import json
from collections.abc import Set
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from imaginem.config.settings import Settings
from imaginem.errors import ConfigurationError
from imaginem.ports.ledger import FUNCTIONS, STORAGE
from imaginem.ports.prices import ANY, Measure, Price, PriceList

_FILE = Path(__file__).parent / "prices.json"
_MILLION = 1_000_000
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    service: _Name
    operation: _Name = ANY
    of: Measure
    per: Annotated[float, Field(gt=0)]
    usd: Annotated[float, Field(ge=0)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    source: str
    checked: str
    prices: list[_Row]


def price_list(settings: Settings) -> PriceList:
    """Return the prices that count for an app.

    Raises:
        ConfigurationError: the file of `PRICES` can't be read; says what is wrong in it.
    """
    own = settings.prices
    usual = _read(_FILE.read_text("utf-8"), str(_FILE))
    accounts = _of_accounts(settings)
    told = {price.service for price in accounts}
    said = set(told)
    prices = [price for price in _prices(usual) if price.service not in told] + accounts
    source, checked = usual.source, usual.checked
    if own:
        try:
            file = _read(Path(own).read_text("utf-8"), own)
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigurationError(
                f"PRICES: {own} can't be read ({type(problem).__name__}): give the path of a JSON "
                "file, see docs/cost.md"
            ) from None
        replaced = {(row.service, row.operation) for row in file.prices}
        said |= {service for service, _ in replaced}
        whole = {service for service, operation in replaced if operation == ANY}
        prices = [
            price
            for price in prices
            if price.service not in whole and (price.service, price.operation) not in replaced
        ]
        prices += _prices(file)
        source, checked = file.source, file.checked
    return PriceList(prices, source, checked, _free_here(settings, said))


def _free_here(settings: Settings, said: Set[str]) -> frozenset[str]:
    """Return what costs nothing here; a language model whose price was said may be a proxy's."""
    free = set()
    if settings.uses_emulator:
        free.add(STORAGE)
    if not settings.on_azure:
        free.add(FUNCTIONS)
    here = urlsplit(settings.openai.endpoint).hostname in _THIS_MACHINE
    if here and "openai" not in said:
        free.add("openai")
    return frozenset(free)


def _of_accounts(settings: Settings) -> list[Price]:
    """Return the prices of the settings such as `FACE_PRICE` that are not the default."""
    accounts = {
        name: getattr(settings, name)
        for name in ("vision", "face", "documentintelligence", "contentunderstanding")
    }
    prices = [
        Price(name, ANY, "billed", 1000, account.price)
        for name, account in accounts.items()
        if account.price != type(account).model_fields["price"].default
    ]
    own = settings.openai
    if own.price_in or own.price_out:
        prices.append(Price("openai", ANY, "tokens_in", _MILLION, own.price_in))
        prices.append(Price("openai", ANY, "tokens_out", _MILLION, own.price_out))
    return prices


def _read(text: str, name: str) -> _File:
    try:
        value: Any = json.loads(text)
        return TypeAdapter(_File).validate_python(value)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"PRICES: {name}: {place}: {first['msg']}") from None
    except ValueError as problem:
        raise ConfigurationError(f"PRICES: {name} is no JSON: {problem}") from None


def _prices(file: _File) -> list[Price]:
    return [Price(row.service, row.operation, row.of, row.per, row.usd) for row in file.prices]
