"""Schemas of resource types, from Microsoft's MCP server: they are inside, no network is needed."""

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
    """Schemas by resource type, asked for once and kept beside the packages."""

    def __init__(self) -> None:
        self._file = Path(sys.prefix) / f"bicep-schemas-{version('msmcp-azure')}.json"
        self._known: dict[str, list[dict[str, Any]]] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text("utf-8"))
        # The server lists these types, but has no bodies for them; written by hand, with the
        # properties that are used here and no others.
        self._supplement: dict[str, Any] = json.loads(_SUPPLEMENT.read_text("utf-8"))

    def load(self, types: Iterable[str]) -> None:
        """Fetch what is not known yet."""
        missing = sorted(set(types) - self._known.keys() - self._supplement.keys())
        if missing:
            self._known |= _ask(missing)
            self._file.write_text(json.dumps(self._known), "utf-8")

    def of(self, resource_type: str) -> tuple[str, dict[str, Any], Definitions]:
        """Return api-version, body, and definitions that the body's types name.

        Raises:
            KeyError: there is no such type.
        """
        found = self._supplement.get(resource_type) or self._known.get(resource_type)
        if not found:
            raise KeyError(resource_type)
        definitions = {item["name"]: item for item in found if item["$type"] != "Resource"}
        (resource,) = [item for item in found if item["$type"] == "Resource"]
        return resource["name"].rpartition("@")[2], resource["bodyType"], definitions


def _ask(types: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Ask one server for all types, over its standard input."""
    import msmcp_azure

    command = [msmcp_azure.get_executable_path(), "server", "start", "--tool", _TOOL, "--read-only"]
    found: dict[str, list[dict[str, Any]]] = {}
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
        session.call(
            "initialize",
            protocolVersion="2025-06-18",
            capabilities={},
            clientInfo={"name": "imaginem", "version": "1"},
        )
        session.tell("notifications/initialized")
        for name in types:
            answer = session.call("tools/call", name=_TOOL, arguments={"resource-type": name})
            content = answer.get("content") or [{"text": "{}"}]
            body = json.loads(content[0]["text"])
            found[name] = (body.get("results") or {}).get("BicepSchemaResult") or []
        server.terminate()
    return found


class _Session:
    """JSON-RPC, a line a message."""

    def __init__(self, out: IO[str], back: IO[str]) -> None:
        self._out, self._back, self._last = out, back, 0

    def tell(self, method: str, **message: Any) -> None:
        self._out.write(json.dumps({"jsonrpc": "2.0", "method": method, **message}) + "\n")
        self._out.flush()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        self.tell(method, id=self._last, params=params)
        for line in self._back:
            if line.startswith("{"):  # it prints other lines too
                message = json.loads(line)
                if message.get("id") == self._last:
                    return dict(message.get("result", {}))
        raise RuntimeError("the schema server ended early")
