"""Runs the deployment scripts with stand-ins for az and the other tools, which log their calls."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

STAND_IN = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$CALLS"
if [ -n "$FAILING" ]; then
  case "$*" in *"$FAILING"*)
    if [ "$(grep -c -- "$FAILING" "$CALLS")" -le "$FAILURES" ]; then
      echo "ERROR: $REASON" >&2
      exit 1
    fi ;;
  esac
fi
case "$*" in
  *"-m infra.steps"*) [ -z "$STEPS" ] || { echo "$STEPS"; exit 0; }; exec "$PYTHON" "$@" ;;
  *"group exists"*) echo "${GROUP_EXISTS:-false}" ;;
  "group show"*) echo "$TAG" ;;
  "account show --query"*) echo 44444444-4444-4444-4444-444444444444 ;;
  *"list-flexconsumption-locations"*) printf "$REGIONS" ;;
  *"ad app list"*) echo "${REGISTRATION-$TAG}" ;;
  *"ad sp show"*) exit 3 ;;
  *"sql server list"*) echo "$SERVER" ;;
  *"workspace list"*) echo 33333333-3333-3333-3333-333333333333 ;;
  *"provider show"*) echo "${REGISTERED:-NotRegistered}" ;;
  *"ad app create"*) echo 11111111-1111-1111-1111-111111111111 ;;
  *"signed-in-user show --query id"*) echo 22222222-2222-2222-2222-222222222222 ;;
  *"signed-in-user show"*) echo person@example.org ;;
  *"outputs.appAddress"*) echo https://func-imaginem-x.azurewebsites.net ;;
  *"outputs.appName"*) echo func-imaginem-x ;;
  *"outputs.droppedPhotos"*) echo "${DROPPED:-on}" ;;
  *"outputs."*) echo something ;;
  *"sql server show"*) echo Enabled ;;
  *"write-out"*) printf "$STATUS" ;;
  *"api.ipify.org"*) echo 203.0.113.7 ;;
  *"api/health"*) echo ok ;;
  *"list-deleted"*) printf "$DELETED" ;;
esac
exit 0
"""

DELETED = (
    "/subscriptions/s/providers/Microsoft.CognitiveServices/locations/westeurope/resourceGroups/"
    "{group}/deletedAccounts/{name}\\t{name}\\twesteurope\\n"
)
DEPLOY = ("deploy.sh", "--resource-group", "g", "--location", "West Europe", "--yes")


class Runner:
    """Runs the scripts of a copy of infra/, with stand-ins for the tools that log their calls.

    The steps are read for real, from a copy of steps/, where a test asks for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        for name in ("infra", "steps"):
            shutil.copytree(ROOT / name, self.root / name)
        (self.root / "imaginem").symlink_to(ROOT / "imaginem")
        self.log = folder / "calls"
        stand_ins = folder / "bin"
        stand_ins.mkdir()
        environment = self.root / ".venv" / "bin"
        environment.mkdir(parents=True)
        own_tools = (environment / "imaginem", environment / "python")
        for path in (*(stand_ins / name for name in ("az", "curl", "make")), *own_tools):
            path.write_text(STAND_IN)
            path.chmod(0o755)
        self.path = f"{stand_ins}:{os.environ['PATH']}"

    @property
    def calls(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def add_step(self, name: str) -> None:
        code = (ROOT / "steps" / "sample.py").read_text().replace("sample(", f"{name}(")
        (self.root / "steps" / f"{name}.py").write_text(code)

    def elsewhere(self) -> "Runner":
        """Return another copy, in which nothing has run."""
        (self.folder / "elsewhere").mkdir()
        return Runner(self.folder / "elsewhere")

    def all(self, start: str) -> list[str]:
        return [line for line in self.calls.splitlines() if start in line]

    def first(self, start: str) -> int:
        lines = self.calls.splitlines()
        places = [index for index, line in enumerate(lines) if start in line]
        assert places, f"{start} was not called:\n{self.calls}"
        return places[0]

    def __call__(
        self, script: str, *arguments: str, stdin: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", str(self.root / "infra" / script), *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            env={
                "PATH": self.path,
                "HOME": str(self.root),
                "CALLS": str(self.log),
                "STATUS": "401",
                "DELETED": "",
                "REGIONS": "",
                "SERVER": "",
                "STEPS": '["ocr"]',  # "" reads them for real, which takes seconds
                "FAILING": "",
                "FAILURES": "1",
                "REASON": "for a test",
                "TAG": "",
                "PAUSE": "0",
                "PYTHON": sys.executable,
                **environment,
            },
        )
