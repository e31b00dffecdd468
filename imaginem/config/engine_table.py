"""The table of engines: which kinds there are, which providers each has, which setting chooses.

Settings, startup checks, runtime, doctor, pages and in-memory fakes all read this table. It is
data: the modules of engines are above this one, so they are named here and imported when an
engine is first used. docs/engines.md says how to add a kind or a provider.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any, Literal

from imaginem.ports.engines import FACES, OCR, QUESTIONS, RECOGNIZER, VISION, EngineKind

AccountName = Literal["VISION", "FACE", "DOCUMENTINTELLIGENCE", "CONTENTUNDERSTANDING", "OPENAI"]
"""Begins the names of an account's settings, see `imaginem.config.sections.accounts`."""


@dataclass(frozen=True)
class Provider:
    """One implementation of a kind of engine.

    Attributes:
        name: value of the setting that chooses it.
        module: has `make_engine(parts)` and `engine_name(settings)`, see
            `imaginem.engines.EngineModule`; it is imported when first used.
        packages: packages that it imports and that requirements.txt does not hold.
        needs_weights: it reads models from the folder of assets.
        account: of Azure AI, or an OpenAI-compatible server, whose address it needs and which gets
            photos; none if it calls none.
        defaults: of number settings that differ from provider to provider; a recognizer has
            both thresholds of a match here.
        goes_with: values of the setting that its row follows, besides its own name, with which
            it is the default.
        retires: the day from which its service answers no more; None where none is announced.
        successor: the provider to choose instead.
    """

    name: str
    module: str
    packages: tuple[str, ...] = ()
    needs_weights: bool = False
    account: AccountName | None = None
    defaults: Mapping[str, float] = field(default_factory=dict)
    goes_with: tuple[str, ...] = ()
    retires: date | None = None
    successor: str = ""


@dataclass(frozen=True)
class EngineRow:
    """A kind of engine.

    Attributes:
        kind: its typed key.
        setting: chooses the provider. Kinds with the same setting have the same providers.
        providers: the first one is the default.
        fake: `module:class` of the in-memory fake, for `imaginem.testing`.
        label: what the engine does, in the words of the operations page.
        follows: setting whose value is the default, if there is such a provider.
        public_name: its name in the HTTP API and in `imaginem doctor`; empty: the kind's name.
    """

    kind: EngineKind[Any]
    setting: str
    providers: tuple[Provider, ...]
    fake: str
    label: str
    follows: str = ""
    public_name: str = ""

    @property
    def shown_as(self) -> str:
        """The name that users see."""
        return self.public_name or self.kind.name

    def provider(self, name: str) -> Provider:
        """Return a provider by name.

        Raises:
            KeyError: there is none of this name.
        """
        return {provider.name: provider for provider in self.providers}[name]


@dataclass(frozen=True)
class EngineTable:
    """All kinds of engines.

    Raises:
        ValueError: kinds with the same setting have not the same providers.
    """

    rows: tuple[EngineRow, ...]

    def __post_init__(self) -> None:
        for setting in self.allowed():
            for one, other in pairwise(row for row in self.rows if row.setting == setting):
                _check_same_providers(one, other)
                _check_same_providers(other, one)

    def row(self, kind: EngineKind[Any]) -> EngineRow:
        """Return the row of a kind.

        Raises:
            KeyError: the table has no such kind.
        """
        return {row.kind.name: row for row in self.rows}[kind.name]

    def allowed(self) -> dict[str, tuple[str, ...]]:
        """Return the values of each setting: the providers of its kinds."""
        values: dict[str, tuple[str, ...]] = {}
        for row in self.rows:
            values.setdefault(row.setting, tuple(provider.name for provider in row.providers))
        return values

    def usual(self, setting: str, chosen: Mapping[str, str]) -> str:
        """Return the provider that a setting has by default.

        Args:
            setting: of the table.
            chosen: names of providers by setting, as far as they are known already.
        """
        rows = [row for row in self.rows if row.setting == setting]
        followed = {chosen.get(row.follows) for row in rows}
        providers = rows[0].providers
        return next(
            (one.name for one in providers if followed & {one.name, *one.goes_with}),
            providers[0].name,
        )

    def kinds(self) -> dict[str, EngineKind[Any]]:
        """Return all kinds by the names that users see."""
        return {row.shown_as: row.kind for row in self.rows}

    def provider(self, kind: EngineKind[Any], chosen: Mapping[str, str]) -> Provider:
        """Return the provider that the settings choose for a kind.

        Args:
            kind: of the engine.
            chosen: names of providers by setting.

        Raises:
            KeyError: the table has no such kind.
        """
        row = self.row(kind)
        return row.provider(chosen[row.setting])

    def providers(self, chosen: Mapping[str, str]) -> Iterator[tuple[EngineRow, Provider]]:
        """Return each kind with the provider that the settings choose for it."""
        for row in self.rows:
            yield row, self.provider(row.kind, chosen)

    def users(self, account: AccountName, chosen: Mapping[str, str]) -> dict[str, str]:
        """Return the settings that choose a provider with an account, and that provider's name."""
        return {
            row.setting: provider.name
            for row, provider in self.providers(chosen)
            if provider.account == account
        }


def _check_same_providers(row: EngineRow, other: EngineRow) -> None:
    names = {provider.name for provider in other.providers}
    for provider in row.providers:
        if provider.name not in names:
            raise ValueError(
                f"the row of {row.kind.name} has the provider {provider.name!r}, but the row of "
                f"{other.kind.name} has not, and {row.setting} chooses for both: add a line to the "
                f"row of {other.kind.name} too, or give {row.kind.name} a setting of its own"
            )


_MODEL_PACKAGES = ("cv2", "numpy", "onnxruntime")
# Microsoft, "Migrate from Azure Vision in Foundry Tools": Computer Vision 3.2 and Image Analysis
# 4.0 answer no calls from this day.
_COMPUTER_VISION_ENDS = date(2028, 9, 25)

ENGINE_TABLE = EngineTable(
    (
        EngineRow(
            kind=VISION,
            setting="VISION_ENGINE",
            providers=(
                Provider(
                    "local",
                    "imaginem.engines.local.vision",
                    packages=_MODEL_PACKAGES,
                    needs_weights=True,
                ),
                Provider(
                    "azure",
                    "imaginem.engines.azure.vision",
                    account="VISION",
                    retires=_COMPUTER_VISION_ENDS,
                    successor="contentunderstanding",
                ),
                Provider(
                    "contentunderstanding",
                    "imaginem.engines.azure.content_understanding",
                    account="CONTENTUNDERSTANDING",
                ),
                Provider("openai", "imaginem.engines.openai.vision", account="OPENAI"),
            ),
            fake="imaginem.memory.engines:FakeVision",
            label="What is in photos",
        ),
        EngineRow(
            kind=OCR,
            setting="OCR_ENGINE",
            follows="VISION_ENGINE",
            providers=(
                Provider(
                    "local",
                    "imaginem.engines.local.ocr",
                    packages=(*_MODEL_PACKAGES, "rapidocr"),
                    needs_weights=True,
                ),
                Provider(
                    "azure",
                    "imaginem.engines.azure.ocr",
                    account="VISION",
                    retires=_COMPUTER_VISION_ENDS,
                    successor="documentintelligence",
                ),
                Provider(
                    "documentintelligence",
                    "imaginem.engines.azure.document_intelligence",
                    account="DOCUMENTINTELLIGENCE",
                    goes_with=("contentunderstanding",),
                ),
                Provider("openai", "imaginem.engines.openai.ocr", account="OPENAI"),
            ),
            fake="imaginem.memory.engines:FakeOcr",
            label="Text",
        ),
        EngineRow(
            kind=FACES,
            setting="FACE_ENGINE",
            providers=(
                Provider(
                    "local",
                    "imaginem.engines.local.faces",
                    packages=_MODEL_PACKAGES,
                    needs_weights=True,
                ),
                Provider("azure", "imaginem.engines.azure.faces", account="FACE"),
            ),
            fake="imaginem.memory.engines:FakeFaces",
            label="Finding faces",
        ),
        EngineRow(
            kind=RECOGNIZER,
            setting="FACE_PRINT_ENGINE",
            follows="FACE_ENGINE",
            providers=(
                # Confidence is the cosine of two embeddings here, and Azure's own scale there.
                Provider(
                    "local",
                    "imaginem.engines.local.recognizer",
                    packages=_MODEL_PACKAGES,
                    needs_weights=True,
                    defaults={"FACE_MATCH_THRESHOLD": 0.45, "FACE_POSSIBLE_THRESHOLD": 0.37},
                ),
                Provider(
                    "azure",
                    "imaginem.engines.azure.recognizer",
                    account="FACE",
                    defaults={"FACE_MATCH_THRESHOLD": 0.5, "FACE_POSSIBLE_THRESHOLD": 0.4},
                ),
            ),
            fake="imaginem.memory.engines:FakeRecognizer",
            label="Telling faces apart",
            public_name="prints",
        ),
        EngineRow(
            kind=QUESTIONS,
            setting="QUESTION_ENGINE",
            follows="VISION_ENGINE",
            providers=(
                Provider("none", "imaginem.engines.no_questions"),
                Provider("openai", "imaginem.engines.openai.questions", account="OPENAI"),
            ),
            fake="imaginem.memory.engines:FakeQuestions",
            label="Questions about photos",
        ),
    )
)
"""The engines of this app."""
