"""The command line as a person uses it, for tests."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.installation import command_environment, free_row


class CommandLine:
    """Runs `imaginem` in an app's folder, as a person does."""

    def __init__(self, app: Path, environment: dict[str, str]) -> None:
        self.app, self.environment = app, command_environment(environment)

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "imaginem.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=self.app,
            env=self.environment,
            input=stdin,
            timeout=120,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str, code: int = 0) -> object:
        done = subprocess.run(
            [sys.executable, "-m", "imaginem.cli", *arguments, "--json"],
            capture_output=True,
            text=True,
            cwd=self.app,
            env=self.environment,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_storage() -> dict[str, str]:
    """Return settings for an emulator that `imaginem start` brings, on ports of its own."""
    return {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "EMULATOR_PORT": str(free_row())}
