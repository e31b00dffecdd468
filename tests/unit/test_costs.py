"""What the ledger's amounts cost, by the list that comes along or by the operator's own."""

import json
from pathlib import Path

import pytest

from imaginem.config.prices import price_list
from imaginem.config.settings import read_settings
from imaginem.errors import ConfigurationError
from imaginem.ports import Amount, LedgerEntry, LedgerItem, Price, PriceList
from imaginem.testing import MemoryServices
from imaginem.usecases.costs import by_step, cost_by_job, cost_of, priced

ANALYZE = LedgerItem("generalclassification", "vision", "analyze")
READ = LedgerItem("ocr", "vision", "read")
ASK = LedgerItem("ocr", "vision", "read result")
CHAT = LedgerItem("ocr", "openai", "chat")
WRITE = LedgerItem("ocr", "storage", "table write")
RUN = LedgerItem("ocr", "step", "run")
ON_AZURE = {
    "WEBSITE_SITE_NAME": "app",
    "AzureWebJobsStorage": "",
    "AzureWebJobsStorage__accountName": "photos",
}


def prices_of(**settings: str) -> PriceList:
    return price_list(read_settings(settings))


def test_a_thousand_photos_cost_what_the_documentation_says() -> None:
    amounts = {
        ANALYZE: Amount(1000, 7000),
        READ: Amount(1000, 1000),
        ASK: Amount(3000, 0),
        LedgerItem("facedetection", "face", "detect"): Amount(1000, 1000),
        LedgerItem("faceprint", "face", "add face"): Amount(1000, 1000),
        LedgerItem("facematch", "face", "find similar in list"): Amount(1000, 1000),
        WRITE: Amount(20_000),
        LedgerItem("ocr", "functions", "execution"): Amount(1000, 1000, 7000.0),
    }
    assert priced(amounts, prices_of(**ON_AZURE)).usd == pytest.approx(11.96, abs=0.005)


def test_what_runs_on_this_machine_costs_nothing() -> None:
    amounts = {WRITE: Amount(20_000), LedgerItem("ocr", "functions", "execution"): Amount(9, 9, 9)}
    costs = priced(amounts, prices_of())
    assert (costs.usd, costs.unknown) == (0.0, [])


def test_an_unknown_price_is_said_and_is_no_zero() -> None:
    costs = priced({CHAT: Amount(2, 2, tokens_in=10), READ: Amount(2, 2)}, prices_of())
    assert costs.unknown == ["openai chat"]
    assert [line.usd for line in costs.lines] == [None, 0.003]
    assert costs.tokens == 10


def test_the_price_of_an_account_that_is_set_counts_for_all_its_operations() -> None:
    costs = priced({ANALYZE: Amount(1, 7), READ: Amount(1, 1)}, prices_of(VISION_PRICE="2"))
    assert [line.usd for line in costs.lines] == [0.014, 0.002]


def test_tokens_cost_what_the_settings_say_and_nothing_on_this_machine() -> None:
    tokens = Amount(1, 1, 0, 2_000_000, 1_000_000)
    elsewhere = {"OPENAI_ENDPOINT": "https://models.test"}
    priced_tokens = prices_of(**elsewhere, OPENAI_PRICE_IN="0.5", OPENAI_PRICE_OUT="2")
    assert priced_tokens.cost(CHAT, tokens) == 3.0
    assert prices_of(**elsewhere).cost(CHAT, tokens) is None
    here = {"OPENAI_ENDPOINT": "http://127.0.0.1:8080"}
    assert prices_of(**here).cost(CHAT, tokens) == 0.0
    assert prices_of(**here, OPENAI_PRICE_IN="0.5", OPENAI_PRICE_OUT="2").cost(CHAT, tokens) == 3.0


def test_an_operators_list_replaces_what_it_names(tmp_path: Path) -> None:
    rows = [
        {"service": "openai", "of": "tokens_in", "per": 1_000_000, "usd": 0.5},
        {"service": "openai", "of": "tokens_out", "per": 1_000_000, "usd": 2},
        {"service": "vision", "operation": "read", "of": "billed", "per": 1, "usd": 1},
    ]
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"source": "our contract", "checked": "2026-10-01", "prices": rows}))
    prices = prices_of(PRICES=str(file))
    assert prices.source == "our contract"
    assert prices.cost(CHAT, Amount(1, 1, 0, 1_000_000, 500_000)) == 1.5
    proxy = prices_of(PRICES=str(file), OPENAI_ENDPOINT="http://127.0.0.1:8080")
    assert proxy.cost(CHAT, Amount(1, 1, 0, 1_000_000, 500_000)) == 1.5
    assert prices.cost(READ, Amount(2, 2)) == 2
    assert prices.cost(ANALYZE, Amount(1, 7)) == 0.007


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ('{"source": "", "checked": "", "prices": [{"service": "x", "usd": 1}]}', "prices.0.of"),
        (
            '{"source": "", "checked": "", "prices": '
            '[{"service": "x", "of": "calls", "per": 0, "usd": 1}]}',
            "prices.0.per",
        ),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_the_place(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        prices_of(PRICES=str(file))


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"PRICES: .* can't be read"):
        prices_of(PRICES=str(tmp_path / "none.json"))


def test_a_batch_costs_what_its_jobs_took() -> None:
    prices = PriceList([Price("vision", "*", "billed", 1, 2.0)])
    services = MemoryServices(prices=prices)
    for job, billed in (("one", 1), ("two", 3)):
        taken = {READ: Amount(1, billed), RUN: Amount(1, 0, 0.5)}
        services.ledger.add([LedgerEntry("b", job, taken)])
    services.ledger.add([LedgerEntry("other", "one", {READ: Amount(1, 1)})])
    costs = cost_of(services, "b")
    assert (costs.usd, costs.seconds) == (8.0, 1.0)
    assert costs.calls == {"vision": 2, "step": 2}
    assert {job: one.usd for job, one in cost_by_job(services, "b").items()} == {
        "one": 2.0,
        "two": 6.0,
    }
    assert {name: one.usd for name, one in by_step(costs, prices).items()} == {"ocr": 8.0}
