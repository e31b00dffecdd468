"""A function app of the trivial steps; the benchmark copies it beside a host.json."""

import azure.functions as func

from benchmarks.trivial.steps import make_registry
from imaginem.functions import add_steps

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
add_steps(app, make_registry())
