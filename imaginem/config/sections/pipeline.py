"""What a job does when its message does not say, and how often a step is tried."""

from typing import Annotated

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.value_types import (
    Amount,
    ContainerName,
    Count,
    Names,
    Seconds,
    StepGroups,
    StepNames,
    one_of,
)
from imaginem.ports import CoreSettings, Fusion

DEFAULT_PIPELINE = (
    "generalclassification",
    "ocr",
    "facedetection",
    "facecrop",
    "faceprint",
    "facematch",
    "pipelineoutput",
)
MAX_DEQUEUE_COUNT = 5
"""Must equal `maxDequeueCount` of host.json: it tells a step which delivery is the last."""


Minutes = Annotated[Amount, Expected("minutes, from 0 to 1,000,000")]
OnOff = Annotated[str, one_of(("on", "off")), Expected("on or off")]


class PipelineSettings(Section):
    """Steps, containers, tries."""

    pipeline: StepNames = setting(
        "PIPELINE_DEFINITION",
        DEFAULT_PIPELINE,
        "the pipeline of jobs that name none, with commas between its steps",
        usual="all seven steps",
    )
    fusion: StepGroups = setting(
        "PIPELINE_FUSION",
        Fusion(every=True),
        "which steps that follow each other run in one delivery: `auto`: all but those that are "
        "declared `alone`; `off`: none; or groups: `+` between their steps, commas between groups",
        usual="`auto`",
    )
    input_container: ContainerName = setting(
        "INPUT_CONTAINER",
        "inputimages",
        "container for photos",
        not_on_azure="its default is the name that Bicep gives",
    )
    faces_container: ContainerName = setting(
        "FACES_CONTAINER",
        "faces",
        "container for face crops",
        not_on_azure="its default is the name that Bicep gives",
    )
    dropped_photos: OnOff = setting(
        "DROPPED_PHOTOS",
        "on",
        "`on`: a photo that any tool uploads to the input container starts a job; `off`: whoever "
        "uploads one also sends its job message",
    )
    reuse_outputs: OnOff = setting(
        "REUSE_OUTPUTS",
        "off",
        "`on`: what a [pure](add-a-step.md#a-step-whose-output-may-be-reused) step found in a "
        "photo is taken from an earlier job of the same bytes in the same access group; `off`: "
        "each photo of each job is looked at",
    )
    max_attempts: Count = setting(
        "MAX_ATTEMPTS",
        5,
        "how often a step is tried at most, when its error may pass",
        not_on_azure="its default serves",
    )
    max_waits: Count = setting(
        "MAX_WAITS",
        100,
        "how often a step may find a service busy (429, 503) before that counts as an error",
        not_on_azure="its default serves",
    )
    retry_seconds: Seconds = setting(
        "RETRY_SECONDS",
        2.0,
        "delay before the second try; it doubles with every further one",
        not_on_azure="its default serves",
    )
    watchdog_minutes: Minutes = setting(
        "WATCHDOG_MINUTES",
        5.0,
        "after how many minutes without a sign of its message a job counts as lost: the message is "
        "sent again; 0: never",
        not_on_azure="its default serves",
    )
    allowed_image_hosts: Names = setting(
        "ALLOWED_IMAGE_HOSTS",
        (),
        "hosts inside a network from which photos may be fetched all the same: `host` or "
        "`host:port`, with commas between",
        usual="none",
    )

    def core(self) -> CoreSettings:
        """Return what the pipeline needs of the settings."""
        return CoreSettings(
            default_pipeline=self.pipeline,
            input_container=self.input_container,
            faces_container=self.faces_container,
            max_attempts=self.max_attempts,
            max_waits=self.max_waits,
            max_dequeue_count=MAX_DEQUEUE_COUNT,
            retry_seconds=self.retry_seconds,
            fusion=self.fusion,
            reuse="on" if self.reuse_outputs == "on" else "",  # the runtime names the engines
        )
