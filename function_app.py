"""The Azure Functions entry: HTTP, a trigger for each step, dropped photos, the timer."""

import azure.functions as func

import steps  # noqa: F401 - importing the package registers every step
from imaginem.config.settings import read_settings
from imaginem.functions import add_drops, add_maintenance, add_steps
from imaginem.pipeline.steps import default_registry
from imaginem.web import WebApp

# HTTP_ACCESS says who may call: keys of the host would shut out platform authentication.
http = WebApp(default_registry, read_settings().http_access)
app = func.AsgiFunctionApp(app=http, http_auth_level=func.AuthLevel.ANONYMOUS)
add_steps(app, default_registry)
add_drops(app)
add_maintenance(app)
