"""Schemas of resource types, from Microsoft's MCP server, which contains them: no network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

_SUPPLEMENT = Path(__file__).with_name("supplement.json")
_TOOL = "bicepschema_get"

Definitions = dict[str, dict[str, Any]]


class Schemas:
    """Schemas by resource type, read from the server once and cached in the environment."""

    def __init__(self) -> None:
        self._file = Path(sys.prefix) / f"bicep-schemas-{version('msmcp-azure')}.json"
        self._known: dict[str, list[dict[str, Any]]] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text("utf-8"))
        # The server lists these types but has no schemas of them, or gives two definitions one
        # name. These were written by hand, with only the properties that our files use.
        self._supplement: dict[str, Any] = json.loads(_SUPPLEMENT.read_text("utf-8"))

    def load(self, types: Iterable[str]) -> None:
        """Read the schemas of the types that are not known yet."""
        missing = sorted(set(types) - self._known.keys() - self._supplement.keys())
        if missing:
            self._known |= _ask(missing)
            self._file.write_text(json.dumps(self._known), "utf-8")

    def of(self, resource_type: str) -> tuple[str, dict[str, Any], Definitions]:
        """Return a type's API version, its body, and the definitions that the body refers to.

        Raises:
            KeyError: there is no such type.
        """
        items = self._supplement.get(resource_type) or self._known.get(resource_type)
        if not items:
            raise KeyError(resource_type)
        definitions = {item["name"]: item for item in items if item["$type"] != "Resource"}
        (resource,) = [item for item in items if item["$type"] == "Resource"]
        return resource["name"].rpartition("@")[2], resource["bodyType"], definitions


def _ask(types: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Start the server once and ask it for the schemas of all types."""
    import msmcp_azure

    command = [msmcp_azure.get_executable_path(), "server", "start", "--tool", _TOOL, "--read-only"]
    with subprocess.Popen(  # noqa: S603 - a pinned package's own program
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"},
    ) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the schema server has no pipes")
        session = _Session(server.stdin, server.stdout)
        session.initialize()
        schemas = {name: session.schema(name) for name in types}
        server.terminate()
    return schemas


class _Session:
    """A session with the server: JSON-RPC, one message a line."""

    def __init__(self, requests: IO[str], answers: IO[str]) -> None:
        self._requests, self._answers, self._last_id = requests, answers, 0

    def initialize(self) -> None:
        """Open the session."""
        self._call(
            "initialize",
            protocolVersion="2025-06-18",
            capabilities={},
            clientInfo={"name": "imaginem", "version": "1"},
        )
        self._send("notifications/initialized")

    def schema(self, resource_type: str) -> list[dict[str, Any]]:
        """Return the items of a type's schema; empty when there is no such type."""
        answer = self._call("tools/call", name=_TOOL, arguments={"resource-type": resource_type})
        content = answer.get("content") or [{"text": "{}"}]
        body = json.loads(content[0]["text"])
        return (body.get("results") or {}).get("BicepSchemaResult") or []

    def _send(self, method: str, **message: Any) -> None:
        self._requests.write(json.dumps({"jsonrpc": "2.0", "method": method, **message}) + "\n")
        self._requests.flush()

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return the result of its answer."""
        self._last_id += 1
        self._send(method, id=self._last_id, params=params)
        for line in self._answers:
            if line.startswith("{"):  # the server prints other lines too
                message = json.loads(line)
                if message.get("id") == self._last_id:
                    return dict(message.get("result", {}))
        raise RuntimeError("the schema server ended early")
