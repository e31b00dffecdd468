"""What the API, the pages and the command line say of costs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imaginem.cli.__main__ import app
from imaginem.config.settings import read_settings
from imaginem.ports import Amount, LedgerEntry, LedgerItem, Price, PriceList
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices
from tests.dashboard import client, principal, web_services

READ = LedgerItem("ocr", "vision", "read")
CHAT = LedgerItem("ocr", "openai", "chat")
PRICES = PriceList(
    [Price("vision", "*", "billed", 1, 0.5)],
    "a list",
    "2026-11-27",
    frozenset({"storage", "functions"}),
)


@pytest.fixture
def services() -> MemoryServices:
    made = web_services()
    made.prices = PRICES
    made.batches.open_batch("b")
    made.batches.open_batch("empty")
    made.ledger.add([LedgerEntry("b", "one", {READ: Amount(4, 3)}, "2026-11")])
    return made


def test_the_api_tells_what_a_batch_has_cost(services: MemoryServices) -> None:
    costs = client(services).get("/api/batches/b/costs").json()
    assert (costs["usd"], costs["calls"]) == (1.5, 4)
    assert costs["by_step"]["ocr"]["usd"] == costs["by_service"]["vision read"]["usd"] == 1.5
    assert costs["notes"] == [
        "Prices: a list (checked 2026-11-27). On this machine the function app and storage cost "
        "nothing."
    ]
    assert client(services).get("/api/batches/empty/costs").json()["usd"] == 0
    assert client(services).get("/api/batches/none/costs").status_code == 404


def test_operators_see_what_everything_has_cost(services: MemoryServices) -> None:
    services.ledger.erase_batch("b", [])
    costs = client(services).get("/api/costs").json()
    assert costs["by_month"]["2026-11"]["usd"] == 1.5
    page = client(services).get("/operations/costs").text
    assert "Together $1.50" in page
    assert "2026-11" in page


def test_what_has_no_known_price_is_no_zero(services: MemoryServices) -> None:
    services.ledger.add([LedgerEntry("b", "one", {CHAT: Amount(2, 2, tokens_in=70)})])
    costs = client(services).get("/api/batches/b/costs").json()
    assert costs["unknown"] == ["openai chat"]
    assert costs["by_service"]["openai chat"]["tokens_in"] == 70
    part = client(services).get("/batches/b/costs").text
    assert "$1.50 + ?" in part
    assert "no price known" in part
    assert "No price is known for openai chat" in part


def test_the_api_forecasts_what_would_be_sent(services: MemoryServices) -> None:
    services.setup = "vision=azure ocr=azure faces=local prints=local fused"
    api = client(services)
    found = api.get("/api/forecast", params={"photos": 10, "pipeline": "ocr"}).json()
    assert found["pipeline"] == ["ocr"]
    assert found["expected"]["usd"] == 5.0
    assert found["words"].startswith("10 photos are expected to cost $5.00: 20 calls")
    refused = api.get("/api/forecast", params={"photos": 10, "pipeline": "orc"})
    assert refused.status_code == 422
    assert "ocr" in refused.json()["detail"]
    viewer = client(services, "platform", **principal("viewer"))
    assert viewer.get("/api/forecast", params={"photos": 1}).status_code == 403


def test_a_cost_that_nobody_knows_yet_is_null(services: MemoryServices) -> None:
    services.setup = "vision=openai ocr=openai faces=local prints=local fused"
    services.prices = replace(PRICES, prices=[Price("openai", "*", "tokens_in", 1, 0.5)])
    found = client(services).get("/api/forecast", params={"photos": 10, "pipeline": "ocr"}).json()
    sums = [found[which] for which in ("expected", "least", "most")]
    assert [each["usd"] for each in [*sums, found["by_service"]["openai text"]]] == [None] * 4
    assert found["expected"]["calls"] == 10
    assert "$" not in found["words"]


def test_the_command_line_says_that_it_is_not_known_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "IMAGINEM_HOME": str(tmp_path),
        "OCR_ENGINE": "openai",
        "OPENAI_ENDPOINT": "https://models.example.org/v1",
        "OPENAI_MODEL": "some",
        "COLUMNS": "200",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    words = ["forecast", "--photos", "10", "--pipeline", "ocr"]
    told = run(*words) + capsys.readouterr().out
    assert told.count("not known yet") == 3  # of the service, together, and in words
    assert "0.00" not in told.partition("together")[2]
    said = json.loads(run(*words, "--json") or capsys.readouterr().out)
    assert said["usd"] == {"expected": None, "least": None, "most": None}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGINEM_HOME", str(tmp_path))
    runtime = Runtime(read_settings({"IMAGINEM_HOME": str(tmp_path)}))
    runtime.ledger.add([LedgerEntry("b", "one", {READ: Amount(4, 1000), CHAT: Amount(2, 2)})])
    runtime.database.close()
    return tmp_path


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_line_tells_costs_and_what_has_no_price(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = run("costs", "--batch", "b") + run("costs", "--by", "job", "--batch", "b")
    told += capsys.readouterr().out
    assert "1.50" in told
    assert "No price is known for openai chat" in told


def test_a_batch_without_costs_is_said_to_have_none(home: Path) -> None:
    done = CliRunner().invoke(app, ["costs", "--batch", "none"])
    assert done.exit_code == 1


@pytest.mark.parametrize(
    "words", [["costs", "--by", "job"], ["costs", "--by", "month", "--batch", "b"], ["forecast"]]
)
def test_what_makes_no_sense_together_is_refused(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2
