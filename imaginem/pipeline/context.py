"""All that a step sees of its job."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, encode_png
from imaginem.message import JobMessage, explain
from imaginem.names import job_prefix, stored_run
from imaginem.pipeline.means import (
    ParametersT,
    SettingsT,
    read_parameters,
    read_settings_of,
)
from imaginem.pipeline.offload import expand, expand_all
from imaginem.pipeline.seals import sealed_outputs
from imaginem.pipeline.source import photo_url, read_photo
from imaginem.pipeline.steps import OutputT, Step
from imaginem.ports import (
    CallContext,
    EngineKind,
    Engines,
    EngineT,
    Models,
    Network,
    Results,
    Services,
)
from imaginem.ports.metering import within
from imaginem.ports.weights import Weights
from imaginem.redaction import without_query

if TYPE_CHECKING:
    from PIL import Image

_logger = logging.getLogger("imaginem.steps")


@dataclass
class SharedPhoto:
    """A job's photo, once a step of a delivery has asked for it, and the SHA-256 of its file."""

    photo: Photo | None = None
    sha256: str = ""


class JobContext(Engines):
    """One job, as the step that runs now sees it. It can be read, not changed.

    Args:
        message: of the job.
        services: that the step can reach.
        results: the SQL results, as the delivery may write them.
        photo: what earlier steps of the delivery have decoded.
        settle: sees, before the step reads an output, that it is recorded: that of the named step,
            or any if the name is empty.
    """

    def __init__(
        self,
        message: JobMessage,
        services: Services,
        results: Results | None = None,
        photo: SharedPhoto | None = None,
        settle: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._message = message
        self._services = services
        self._results = results or services.results
        self._photo = photo or SharedPhoto()
        self._settle = settle
        self._definition = message.job_definition

    @property
    def batch_id(self) -> str:
        """The job's batch."""
        return self._definition.batch_id

    @property
    def job_id(self) -> str:
        """The job's id, unique in its batch."""
        return self._definition.id

    @property
    def key(self) -> tuple[str, str]:
        """Batch id and job id."""
        return self.batch_id, self.job_id

    @property
    def image_url(self) -> str:
        """The photo's address, without its query."""
        return without_query(self._definition.input.image_url)

    @property
    def photo_url(self) -> str:
        """The photo's address in our storage account; empty when it could not be fetched."""
        return photo_url(self._message, self._services)

    @property
    def image_parameters(self) -> Any:
        """What the sender said about the photo, untouched."""
        return self._definition.input.image_parameters

    def parameters(self, model: type[ParametersT]) -> ParametersT:
        """Return what the job's sender says to this step, or the defaults.

        Args:
            model: that the step declares with `@step(parameters=…)`.

        Raises:
            InvalidMessage: a value is wrong, or one that is needed is missing: the step fails.
        """
        name = self._message.current
        return read_parameters(name, model, self._definition.step_parameters.get(name))

    def settings(self, model: type[SettingsT]) -> SettingsT:
        """Return the step's settings, from environment variables called after step and field.

        Args:
            model: that the step declares with `@step(settings=…)`.

        Raises:
            ConfigurationError: one is wrong or missing.
        """
        return read_settings_of(self._message.current, model, self._services.environment)

    def weights(self, weights: Weights) -> Path:
        """Return the path of a file that the step brings.

        Args:
            weights: that the step declares with `@step(weights=…)`.

        Raises:
            ConfigurationError: it was not fetched yet, or is another file.
        """
        return self.models.path(self._message.current, weights)

    def model(self, weights: Weights) -> Network:
        """Return the ONNX network in a file that the step brings.

        A process opens it once, and closes it when no step has asked for it for a while.

        Args:
            weights: that the step declares with `@step(weights=…)`.

        Raises:
            ConfigurationError: as of `weights`; or onnxruntime is missing or refuses the file.
        """
        return self.models.network(self._message.current, weights)

    @property
    def models(self) -> Models:
        """The models that steps bring."""
        return self._services.models

    @property
    def image_classifiers(self) -> Any:
        """The sender's classifiers, untouched."""
        return self._definition.input.image_classifiers

    @property
    def pipeline(self) -> tuple[str, ...]:
        """Names of the job's queues, in order."""
        return tuple(self._definition.processing_pipeline)

    @property
    def unsuccessful(self) -> tuple[str, ...]:
        """Steps before this one that failed or were skipped."""
        self._settle("")
        return tuple(self._definition.bookkeeping.unsuccessful)

    @property
    def made(self) -> Mapping[str, str]:
        """What outputs so far were made of, by step, as far as they may be reused."""
        return sealed_outputs(self._message, self.outputs, self._services)

    @property
    def image(self) -> Photo:
        """The photo: decoded once, upright, 8-bit RGB; the first page of a file of several.

        The others are at `image.pages()`.

        Raises:
            PermanentError: it can't be read or decoded; says why.
        """
        photo = self._photo.photo
        if photo is None:
            with within(self.key):
                photo = self._photo.photo = read_photo(self._message, self._services)
        return photo

    def read_image(self) -> Photo:
        """Return the photo as `image` does, but keep nothing of it: for steps over several photos.

        Raises:
            PermanentError: it can't be read or decoded; says why.
        """
        with within(self.key):
            return self._photo.photo or read_photo(self._message, self._services)

    @property
    def photo_digest(self) -> str:
        """SHA-256 of the photo's file, in hexadecimal; empty until it was read."""
        return self._photo.photo.sha256 if self._photo.photo else self._photo.sha256

    def output(self, step: Step[Any, OutputT]) -> OutputT:
        """Return another step's output.

        Raises:
            PermanentError: that step has no output, or one that doesn't fit its model.
        """
        self._settle(step.name)
        raw = expand(_find(self._message.job_output, step.name), self.key, self._services.blobs)
        if raw is None:
            raise PermanentError(
                f"the output of {step.name} is missing: put {step.name} before this step in "
                "processing_pipeline, or its output into job_output"
            )
        try:
            return step.output_type.model_validate(raw)
        except ValidationError as problem:
            raise PermanentError(f"job_output.{step.name}.{explain(problem)}") from None

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """All outputs so far as JSON values, linked ones inlined."""
        self._settle("")
        return expand_all(self._message.job_output, self.key, self._services.blobs)

    def save_png(self, name: str, picture: "Image.Image") -> str:
        """Keep a picture in the faces container and return its address.

        Args:
            name: file name without ending; the same name again replaces the picture.
        """
        container = self._services.core_settings.faces_container
        path = f"{job_prefix(*self.key)}{name}.png"
        with within(self.key):
            return self._services.blobs.put(container, path, encode_png(picture), "image/png")

    def engine(self, kind: EngineKind[EngineT]) -> EngineT:
        """Return the engine of a kind that the settings choose, or that a rerun chose."""
        provider = self._chosen.get(kind.name)
        if provider is None:
            return self._services.engine(kind)
        return self._services.other_engine(kind, provider)

    @cached_property
    def _chosen(self) -> Mapping[str, str]:
        token = self._definition.bookkeeping.engines
        return self._services.engine_choices.chosen(token, self.batch_id) if token else {}

    @property
    def call(self) -> CallContext:
        """What every engine call takes: `job.ocr.read(photo, job.call)`."""
        return self.call_for(None)

    def call_for(self, photo: Photo | None) -> CallContext:
        """What an engine call for a page takes; for the first page it is `call`.

        Engines that are paid for each call wait longer for a later page: the step would pay again
        for those before.
        """
        run = stored_run(self._definition.bookkeeping.run)
        continues = photo is not None and photo.page not in (None, 1)
        return CallContext(
            self.batch_id, self.job_id, self._message.current, run, continues=continues
        )

    @property
    def results(self) -> Results:
        """The SQL results."""
        self._settle("")
        return self._results

    @cached_property
    def log(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger that adds the job's ids to each record."""
        return logging.LoggerAdapter(_logger, self.call.ids)


def _find(outputs: Mapping[str, Any], name: str) -> Any:
    """Return a step's output; the original system sometimes wrote `Facedetection`."""
    if name in outputs:
        return outputs[name]
    return next((output for key, output in outputs.items() if key.lower() == name), None)
