"""`local.settings.json`: app settings on a laptop, as Azure Functions Core Tools reads them."""

import json
import os
from pathlib import Path

from imaginem.errors import ConfigurationError


def local_settings(folder: Path) -> dict[str, str]:
    """Return the `Values` of a folder's `local.settings.json`, as Core Tools reads them.

    Raises:
        ConfigurationError: the file is not a JSON object that holds an object `Values`.
    """
    path = folder / "local.settings.json"
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text("utf-8")).get("Values", {})
        return {str(name): str(value) for name, value in values.items()}
    except (ValueError, AttributeError) as problem:
        raise ConfigurationError(
            f"local.settings.json can't be read ({problem}): compare it with "
            "local.settings.json.example"
        ) from None


def apply_local_settings(folder: Path) -> None:
    """Put `local.settings.json` into the environment; a variable that is set there is kept."""
    for name, value in local_settings(folder).items():
        os.environ.setdefault(name, value)
