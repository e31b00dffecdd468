"""What reruns noted of their engines goes when it is old; the newer stays."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from imaginem.pipeline.engine_choices import NotedEngineChoices
from imaginem.testing import MemorySharedState

ENGINES = {"OCR_ENGINE": "azure"}


def test_a_rerun_removes_what_reruns_noted_three_months_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("imaginem.pipeline.engine_choices._AT_ONCE", 2)
    state = MemorySharedState()
    young = NotedEngineChoices(state).note("spring", ENGINES)
    (name,) = state.list("engines-")
    text, _ = state.read(name) or ("", "")
    long_ago = (datetime.now(UTC) - timedelta(days=91)).isoformat()
    for number in range(3):
        state.write(f"engines-{number}", json.dumps({**json.loads(text), "since": long_ago}), "")
    for odd in ('{"since": 7}', "{", "[]", '{"since": "2000-01-01T00:00:00"}'):
        state.write(f"engines-odd{odd}", odd, "")
    state.write("home", "{}", "")

    NotedEngineChoices(state).note("spring", ENGINES)
    old = {"engines-0", "engines-1", "engines-2"}
    assert len(old & set(state.list("engines-"))) == 1, "so many at once"
    NotedEngineChoices(state).note("spring", ENGINES)
    assert not old & set(state.list("engines-"))
    assert len(state.list("engines-odd")) == 4
    assert state.read("home")
    assert NotedEngineChoices(state).chosen(young, "spring") == ENGINES
