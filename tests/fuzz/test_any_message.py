"""Whatever JSON is sent for a job: its step ends in one of the ways that are documented."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import steps  # noqa: F401 - importing the package registers every step
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.pipeline.process import Delivery, process_step
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import CONCLUDED, StepState
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CoreSettings
from imaginem.testing import MemoryServices, photo_bytes

ENDS = {*CONCLUDED, StepState.RETRYING, "invalid", "dropped", "cancelled"}
_PHOTO = photo_bytes(8, 8)
_TEXT = st.text(max_size=12) | st.sampled_from(
    ["", "ocr", "a/b", "..", "\x00", "\ud800", "x" * 600]
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


def _mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return what a field should hold, and sometimes anything."""
    return st.one_of(usual, usual, usual, _ANYTHING)


_URLS = st.sampled_from(
    ["https://memory.test/inputimages/b/photo", "https://photos.test/a", "ftp://x", "http://["]
)
_INPUT = st.fixed_dictionaries(
    {"image_url": _mostly(_URLS)},
    optional={"image_parameters": _ANYTHING, "image_classifiers": _ANYTHING},
)
_DEFINITION = st.fixed_dictionaries(
    {
        "id": _mostly(st.just("job-1")),
        "batch_id": _mostly(st.just("b")),
        "input": _mostly(_INPUT),
        "processing_pipeline": _mostly(st.just(list(DEFAULT_PIPELINE))),
        "processing_step": _mostly(st.sampled_from([0, 1, 2])),
    },
    optional={"_imaginem": _ANYTHING, "extra": _ANYTHING},
)
_OUTPUTS = st.dictionaries(st.sampled_from(DEFAULT_PIPELINE), _ANYTHING, max_size=3)
_MESSAGES = _mostly(
    st.fixed_dictionaries(
        {"job_definition": _mostly(_DEFINITION)}, optional={"job_output": _mostly(_OUTPUTS)}
    )
)
_SEEN: set[str] = set()


@settings(max_examples=60)
@given(message=_MESSAGES, name=st.sampled_from(DEFAULT_PIPELINE), tries=st.integers(1, 6))
def _play(message: Any, name: str, tries: int) -> None:
    services = MemoryServices(
        core_settings=CoreSettings(default_pipeline=DEFAULT_PIPELINE), fetch=lambda url: _PHOTO
    )
    services.blobs.put("inputimages", "b/photo", _PHOTO, "image/png")
    step = next(step for step in default_registry if step.name == name)
    delivery = Delivery(json.dumps(message), "message-1", tries)
    moved = process_step(step, delivery, services, default_registry)
    assert moved.state in ENDS
    _SEEN.add(moved.state)
    kept = list(services.poison.list())
    if moved.state == "invalid":
        assert [entry.id for entry in kept] == ["message-1"] and kept[0].reason
    elif moved.state == "success":
        assert read_row(services.log, ("b", "job-1")) or moved.outgoing is not None


def test_a_step_ends_as_documented_whatever_json_comes() -> None:
    _SEEN.clear()
    _play()
    assert {"invalid", "success"} <= _SEEN


@pytest.mark.parametrize("body", ["", "[" * 100_000, '{"job_definition": NaN}', "\ufeff{}"])
def test_what_is_no_json_is_kept(body: str) -> None:
    services = MemoryServices(core_settings=CoreSettings(default_pipeline=DEFAULT_PIPELINE))
    step = next(iter(default_registry))
    delivery = Delivery(body, "message-1", 1)
    assert process_step(step, delivery, services, default_registry).state == "invalid"
    assert len(list(services.poison.list())) == 1
