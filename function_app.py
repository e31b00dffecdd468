"""The Azure Functions entry: the HTTP app, and one queue trigger for each step."""

import azure.functions as func

import steps  # noqa: F401 - importing the package registers every step
from imaginem.functions import add_steps, add_upkeep
from imaginem.registry import default_registry
from imaginem.web import make_app

# Nothing here is secret: health, and which steps there are.
app = func.AsgiFunctionApp(app=make_app(default_registry), http_auth_level=func.AuthLevel.ANONYMOUS)
add_steps(app, default_registry)
add_upkeep(app)
