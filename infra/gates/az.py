"""Parses every `az` command of the repository with az's own parser: `python -m infra.gates.az`.

It runs where azure-cli is installed, and needs neither a login nor a network: commands are
parsed, not run.
"""

import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from infra.gates.az_commands import Command, commands_of, find_commands

if TYPE_CHECKING:
    from azure.cli.core.commands import AzCliCommandInvoker

ROOT = Path(__file__).parents[2]
BROKEN = (
    ("az functionapp log tail --resource-group g --name app", "no such command"),
    ('say "look: az functionapp log tail"', "no such command"),
    ("az group creat --name g --location w", "no such command"),
    ("az group create --name g --location w --colour red", "unrecognized arguments: --colour"),
    ("az group create --name g", "--location"),
    ("az functionapp show --name app", "--resource-group"),
    ("az sql server firewall-rule delete --server s --name r", "--resource-group"),
    ("az deployment group create --template-file main.bicep", "--resource-group"),
    ("az ad app update --id a --enable-id-token-issuance maybe", "maybe"),
    ("az account show --query id --output tvs", "tvs"),
)
"""Commands that don't parse, each with a part of the problem that must be reported."""

_NO_COMMAND = "no such command: az {name} (or its package is not in infra/az-requirements.txt)"


class Parser:
    """Az's parser, over all of its commands."""

    def __init__(self) -> None:
        # Nothing of the person's own configuration, defaults and extensions is read.
        folder = tempfile.mkdtemp()
        os.environ |= {"AZURE_CONFIG_DIR": folder, "AZURE_EXTENSION_DIR": folder}
        os.environ |= {"AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_NO_COLOR": "yes"}
        from azure.cli.core import get_default_cli

        self._cli = get_default_cli()
        self._loader = self._cli.commands_loader_cls(self._cli)
        self._invocation()
        with contextlib.redirect_stderr(io.StringIO()):  # most modules' packages aren't installed
            self._loader.load_command_table(None)
        self._table = self._loader.command_table

    def problem(self, command: Command) -> str:
        """Return why a command does not parse, in one line; nothing if it does."""
        from knack.util import CLIError

        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                return self._parse(command)
            except SystemExit:
                lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
                return next((line for line in lines if "Error loading" not in line), "refused")
            except CLIError as error:
                return str(error)
            except ModuleNotFoundError as error:
                return f"infra/az-requirements.txt lacks what this command imports: {error}"

    def _invocation(self) -> "AzCliCommandInvoker":
        cli = self._cli
        run = cli.invocation_cls(
            cli_ctx=cli,
            parser_cls=cli.parser_cls,
            commands_loader_cls=cli.commands_loader_cls,
            help_cls=cli.help_cls,
            initial_data={"command_string": None},
        )
        run.commands_loader = self._loader
        cli.invocation = run
        return run

    def _parse(self, command: Command) -> str:
        from azure.cli.core.commands import events
        from knack import events as knack

        # What az reads from a file, it wants as JSON.
        cli, given = self._cli, ["[]" if word.startswith("@") else word for word in command.words]
        if command.named_only:
            return _unknown(given, self._table)
        run = self._invocation()
        loader = run.commands_loader
        loader.command_table = self._table
        name = run._rudimentary_get_command(given)
        if name not in self._table:
            return _NO_COMMAND.format(name=" ".join(given[:4]))
        run.data["command_string"] = loader.command_name = name
        loader.command_table = {name: self._table[name]}
        cli.raise_event(events.EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
        loader.load_arguments(name)
        # These add the options that all commands share, and --ids instead of a name and a group.
        cli.raise_event(events.EVENT_INVOKER_POST_LOAD_ARGUMENTS, commands_loader=loader)
        cli.raise_event(knack.EVENT_INVOKER_POST_CMD_TBL_CREATE, commands_loader=loader)
        run.parser.cli_ctx = cli
        run.parser.load_command_table(loader)
        parsed = run.parser.parse_args(given)
        cli.raise_event(knack.EVENT_INVOKER_POST_PARSE_ARGS, command=parsed.command, args=parsed)
        return ""


def _unknown(given: list[str], table: Collection[str]) -> str:
    named = " ".join(given)
    if any(f"{name} ".startswith(f"{named} ") for name in table):
        return ""
    return _NO_COMMAND.format(name=named)


def unreported(parser: Parser) -> list[str]:
    """Return the broken commands that pass."""
    return [
        text
        for text, reported in BROKEN
        for problem in ["; ".join(map(parser.problem, commands_of("broken.sh", text)))]
        if reported not in problem
    ]


def main() -> int:
    """Parse all commands, then broken ones, which must be refused; return the exit code."""
    begun = time.monotonic()
    parser, found = Parser(), find_commands(ROOT)
    problems = [(command, parser.problem(command)) for command in found]
    refused = [(command, problem) for command, problem in problems if problem]
    for command, problem in refused:
        print(f"{command.place}: az {' '.join(command.words)}\n  {problem}")
    passing = unreported(parser)
    for text in passing:
        print(f"az's parser is asked in a way that it does not see: {text}")
    if not refused and not passing:
        seconds = time.monotonic() - begun
        summary = f"{len(found)} commands parse, and {len(BROKEN)} broken ones don't"
        print(f"az: {summary} ({seconds:.0f} s)")
    return 1 if refused or passing or not found else 0


if __name__ == "__main__":
    sys.exit(main())
