"""Receipts: in memory and on Azure Storage alike; `imaginem receipt` on 80 columns."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from imaginem.host import Emulator
from imaginem.ports import JobResult, Receipts
from imaginem.runtime import Runtime
from imaginem.usecases.erase import forget_job
from imaginem.usecases.kept_receipts import as_json
from tests.terminal import Cli, terminal


def test_a_receipt_is_found_by_its_id_and_replaced_under_it(receipts: Receipts) -> None:
    one, other = uuid4().hex, uuid4().hex
    assert receipts.read(one) is None
    receipts.keep(one, f"{one} first")
    receipts.keep(other, f"{other} ümit")
    receipts.keep(one, f"{one} final")
    assert receipts.read(one) == f"{one} final"
    assert receipts.read(other) == f"{other} ümit"
    assert receipts.read(uuid4().hex) is None
    assert {f"{one} final", f"{other} ümit"} <= set(receipts.all())


@pytest.fixture
def cli(runtime: Runtime, own_azurite: Emulator, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return terminal(monkeypatch, own_azurite, runtime.settings.home, "receipt")


def test_receipts_are_listed_shown_and_verified(
    cli: Cli, runtime: Runtime, name: str, tmp_path: Path
) -> None:
    runtime.results.save(JobResult(name, "one", ["ocr"], "https://x.test/a", {}, {}))
    receipt = forget_job(runtime, (name, "one"))

    listed, shown = cli("list"), cli("show", receipt.id)
    for answer in (listed, shown):
        assert answer.exit_code == 0, answer.output
        assert receipt.id in answer.output
        assert max(map(len, answer.output.splitlines())) <= 80
    assert "  pipeline_output: 1" in shown.output.splitlines()
    assert "This is final at" in shown.output
    assert "not final" in listed.output
    assert shown.output.startswith(f"job erased {receipt.at[:10]} ")
    assert cli("show", "0" * 32).exit_code == 1

    file = tmp_path / "receipt.json"
    file.write_text(cli("show", receipt.id, "--json").output, "utf-8")
    assert json.loads(file.read_text("utf-8")) == as_json(receipt)
    assert f"receipt {receipt.id} is genuine, not final" in cli("verify", str(file)).output
    file.write_text(file.read_text("utf-8").replace('"jobs": 1', '"jobs": 0'), "utf-8")
    forged = cli("verify", str(file), "--json")
    assert forged.exit_code == 1
    assert json.loads(forged.stdout)["genuine"] is False
