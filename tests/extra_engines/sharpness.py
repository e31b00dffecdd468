"""A further kind of engine: its protocol, its only provider and its in-memory fake."""

from typing import Protocol

from imaginem.config.settings import Settings
from imaginem.engines.parts import EngineParts
from imaginem.images.decoding import Photo
from imaginem.ports import CallContext, EngineKind


class SharpnessEngine(Protocol):
    @property
    def name(self) -> str: ...

    def sharpness(self, photo: Photo, call: CallContext) -> float: ...


SHARPNESS: EngineKind[SharpnessEngine] = EngineKind("sharpness")


class ConstantSharpness:
    def __init__(self, name: str, value: float) -> None:
        self.name, self._value = name, value

    def sharpness(self, photo: Photo, call: CallContext) -> float:
        return self._value


class FakeSharpness(ConstantSharpness):
    def __init__(self) -> None:
        super().__init__("fake", 0.5)


def engine_name(settings: Settings) -> str:
    return "sharpness-1"


def make_engine(parts: EngineParts) -> SharpnessEngine:
    return ConstantSharpness("sharpness-1", 1.0)
