"""Binds a registry of steps to an Azure Functions app (Python v2 model)."""

import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from imaginem.config.receivers import log_receivers
from imaginem.config.retirement import log_retirements
from imaginem.config.settings import Settings, read_settings
from imaginem.config.startup import check_start, log_unknown_steps
from imaginem.names import is_own_photo
from imaginem.pipeline.maintenance import run_maintenance
from imaginem.pipeline.means import check_settings
from imaginem.pipeline.poison import bury
from imaginem.pipeline.process import Delivery, PipelineStep, process_step
from imaginem.pipeline.steps import Registry
from imaginem.ports import DashboardServices, Services
from imaginem.ports.metering import metered
from imaginem.runtime import default_runtime
from imaginem.usecases.drops import give_up_drop, receive_drop

CONNECTION = "AzureWebJobsStorage"
BLOB_POISON_QUEUE = "webjobs-blobtrigger-poison"
"""Where hosts put blobs whose function failed too often; all blob triggers share it."""
MAINTENANCE_SCHEDULE = "0 */5 * * * *"

# At INFO the storage SDKs log a line for each request, with its address and query: too much.
logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)


def add_steps(
    app: func.FunctionApp | func.AsgiFunctionApp,
    registry: Registry,
    services: Callable[[], Services] = default_runtime,
) -> None:
    """Give the app one queue trigger for each step, and one for its poison queue.

    Args:
        app: a FunctionApp, or AsgiFunctionApp.
        registry: the steps.
        services: called at each message, so that nothing is built before it is needed.

    Raises:
        ConfigurationError: names every setting that is wrong.
    """
    if services is default_runtime:
        settings = read_settings()
        check_settings(registry.settings(), os.environ, Settings.declared())
        check_start(settings)  # wrong settings show at the start, not at the first message
        log_retirements(settings, datetime.now(UTC).date())
        log_receivers(settings)
        log_unknown_steps(settings, registry.names())
    for step in registry:
        _add(app, step.name, step.name, _step_function(step, registry, services))
        poisoned = _poison_function(step.name, services)
        _add(app, f"{step.name}_poison", f"{step.name}-poison", poisoned)


def add_maintenance(
    app: func.FunctionApp | func.AsgiFunctionApp,
    services: Callable[[], Services] = default_runtime,
) -> None:
    """Give the app a timer that runs the maintenance jobs.

    Args:
        app: a FunctionApp, or AsgiFunctionApp.
        services: called each time the timer runs.
    """

    def maintenance(timer: func.TimerRequest) -> None:
        """Run the maintenance jobs, such as the watchdog and the training of face lists."""
        current = services()
        with metered(current.ledger, "maintenance timer", executes=True):
            run_maintenance(current.maintenance_jobs, current.telemetry)

    trigger = app.timer_trigger(
        arg_name="timer", schedule=MAINTENANCE_SCHEDULE, run_on_startup=False
    )
    # A step may be called `maintenance`; no step's name has an underscore.
    app.function_name(name="maintenance_timer")(trigger(maintenance))


def starts_nothing(function: str, container: str, name: str, metadata: Mapping[str, str]) -> bool:
    """Tell from a blob whether our own blob function would return at once; False of another's.

    Args:
        function: that the blob would run.
        container: of the blob.
        name: of the blob.
        metadata: of the blob.
    """
    return function == "photo_dropped" and is_own_photo(container, name, metadata)


def add_drops(
    app: func.FunctionApp | func.AsgiFunctionApp,
    services: Callable[[], DashboardServices] = default_runtime,
    settings: Settings | None = None,
) -> None:
    """Give the app a blob trigger for photos that are dropped in the input container.

    Args:
        app: a FunctionApp, or AsgiFunctionApp.
        services: called at each blob.
        settings: say whether there is such a trigger; the environment's by default.
    """
    known = settings or read_settings()
    if known.dropped_photos == "off":
        return

    def photo_dropped(blob: func.InputStream) -> None:
        """Start the job of a photo that was dropped in the input container."""
        container, _, name = (blob.name or "").partition("/")
        metadata = getattr(blob, "metadata", None)
        # Both hosts hand metadata over when they can; without it, storage is asked.
        if isinstance(metadata, dict) and is_own_photo(container, name, metadata):
            return
        current = services()
        with metered(current.ledger, "dropped photos", executes=True):
            receive_drop(current, name)

    def photo_dropped_poison(message: func.QueueMessage) -> None:
        """Keep in pipelinepoison a dropped photo whose job could not be started."""
        give_up_drop(services(), message.get_body())

    # No step's name has an underscore.
    trigger = app.blob_trigger(
        arg_name="blob",
        path=f"{known.input_container}/{{name}}",
        connection=CONNECTION,
        source=func.BlobSource.EVENT_GRID,  # the only one that Flex Consumption has
    )
    app.function_name(name="photo_dropped")(trigger(photo_dropped))  # as the gates of infra read it
    _add(app, "photo_dropped_poison", BLOB_POISON_QUEUE, photo_dropped_poison)


def _add(app: Any, name: str, queue: str, function: Callable[..., None]) -> None:
    trigger = app.queue_trigger(arg_name="message", queue_name=queue, connection=CONNECTION)
    app.function_name(name=name)(trigger(function))


def _step_function(
    step: PipelineStep, registry: Registry, services: Callable[[], Services]
) -> Callable[[func.QueueMessage], None]:
    def run(message: func.QueueMessage) -> None:
        process_step(step, _delivery(message), services(), registry)

    run.__name__, run.__doc__ = step.name, step.summary
    return run


def _poison_function(
    queue: str, services: Callable[[], Services]
) -> Callable[[func.QueueMessage], None]:
    def move(message: func.QueueMessage) -> None:
        delivery = _delivery(message)
        current = services()
        with metered(current.ledger, "poisoned messages", executes=True):
            bury(current, queue, delivery.id, delivery.body, delivery.put)

    move.__name__ = f"{queue}_poison"
    move.__doc__ = f"Move a message that {queue} could not process to pipelinepoison."
    return move


def _delivery(message: func.QueueMessage) -> Delivery:
    """Return the message as the pipeline takes it; the host may pass bytes that are not UTF-8."""
    body = message.get_body().decode("utf-8", "replace")
    count = int(getattr(message, "dequeue_count", None) or 1)
    put = getattr(message, "insertion_time", None)
    if put is not None and put.tzinfo is None:  # the worker reads the service's UTC without a zone
        put = put.replace(tzinfo=UTC)
    return Delivery(body, str(message.id), count, put)
