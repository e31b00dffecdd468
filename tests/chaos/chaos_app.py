"""A `function_app.py` whose steps note when they begin and end, and on which of their jobs.

A step that begins although its row says that it is concluded is noted as `again`. The row is
read directly, without the faults that the pipeline meets.
"""

import os
from typing import Any

import azure.functions as func

import steps  # noqa: F401 - importing the package registers every step
from imaginem import JobContext
from imaginem.config.settings import read_settings
from imaginem.functions import add_drops, add_maintenance, add_steps
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.states import CONCLUDED
from imaginem.pipeline.steps import AnyStep, Registry, Step, default_registry
from imaginem.runtime import Runtime
from imaginem.web import WebApp

_direct = Runtime(read_settings({"AzureWebJobsStorage": os.environ["DIRECT_STORAGE"]}))


def _note(word: str, job: JobContext, name: str) -> None:
    line = f"{word} {name} {'/'.join(job.key)}\n".encode()
    handle = os.open(os.environ["EXECUTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line)  # whole lines, whoever else writes
    os.close(handle)


def _noting(original: AnyStep) -> AnyStep:
    def run(job: JobContext) -> Any:
        row = read_row(_direct.log, job.key)
        concluded = row is not None and row.state_of(original.name) in CONCLUDED
        _note("again" if concluded else "begun", job, original.name)
        output = original(job)
        _note("ended", job, original.name)
        return output

    run.__name__, run.__doc__ = original.name, original.summary
    known = original.requires, original.finalizer, original.alone
    return Step(run, original.output_type, *known)


registry = Registry()
for known in default_registry:
    registry.add(_noting(known))
http = WebApp(registry, read_settings().http_access)
app = func.AsgiFunctionApp(app=http, http_auth_level=func.AuthLevel.ANONYMOUS)
add_steps(app, registry)
add_drops(app)
add_maintenance(app)
