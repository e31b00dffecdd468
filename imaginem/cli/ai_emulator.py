"""`imaginem azure-double`: serves an emulator of Azure's AI services."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.table import Table
from rich.text import Text

from imaginem.assets import AssetStore
from imaginem.cli.shared import App, err, exit_on_error, out
from imaginem.config.engine_table import AccountName
from imaginem.config.local_settings import apply_local_settings
from imaginem.config.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("azure-double")(azure_double)


def azure_double(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for any.")] = 7080,
    key: Annotated[str, typer.Option(help="Key that it takes.")] = "double",
    calls_per_second: Annotated[
        float, typer.Option(min=0, help="Quota of each service; 0 for none.")
    ] = 10,
    limited_access: Annotated[
        bool, typer.Option(help="The Face account may tell people apart.")
    ] = True,
    tier: Annotated[
        Literal["S1", "F0"], typer.Option(help="Tier of the accounts that read text: F0 is free.")
    ] = "S1",
    app: App = Path(),
) -> None:
    """Serve emulators of Azure's AI services and of OpenAI's until Ctrl-C, to develop against."""
    with exit_on_error():
        from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
        from imaginem.ai_emulator.app import LocalEngines
        from imaginem.ai_emulator.chat import MODEL

        apply_local_settings(app)
        options = AiEmulatorOptions(
            key=key, per_second=calls_per_second, limited_access=limited_access, tier=tier
        )
        ai_emulator = AiEmulator(LocalEngines(AssetStore(read_settings().assets)), options)
        with AiEmulatorServer(ai_emulator, port) as server:
            show_settings(settings_for(server.address, key, tier, MODEL), server.address)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                calls = sum(quota.calls for quota in ai_emulator.quotas.values())
                err.print(f"stopped after {calls} calls", highlight=False)


def settings_for(address: str, key: str, tier: str, model: str) -> dict[str, str]:
    """Return the settings with which Imaginem uses the emulator."""
    settings = {"VISION_ENGINE": "azure", "FACE_ENGINE": "azure"}
    for service in get_args(AccountName):
        settings |= {f"{service}_ENDPOINT": address, f"{service}_API_KEY": key}
    for service, paid in (("VISION", "S1"), ("DOCUMENTINTELLIGENCE", "S0")):
        settings[f"{service}_TIER"] = "F0" if tier == "F0" else paid
    return {**settings, "OPENAI_MODEL": model}


def show_settings(settings: Mapping[str, str], address: str) -> None:
    """Print settings as a table, and what they are for."""
    table = Table("setting", "value", box=None, padding=(0, 1))
    for name, value in settings.items():
        table.add_row(name, Text(value))
    out.print(f"The emulator serves at {address}, with these settings:", highlight=False)
    out.print(table)
    err.print(
        "VISION_ENGINE=contentunderstanding takes the successors, VISION_ENGINE=openai the "
        "OpenAI-compatible server. Ctrl-C stops it.",
        highlight=False,
    )
