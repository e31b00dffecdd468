"""Calls the app as the Functions host does, through code of Azure's own.

Run by test_azure_worker.py in an environment that has requirements.txt alone:
`drive_worker.py HOW APP_FOLDER [PACKAGES PROTOCOL]`, with its task as JSON on stdin. HOW is
`azure_functions_runtime`, the worker library for Python 3.13 and newer, found in PACKAGES; or
`azure.functions`, the package through whose converters the worker of older versions calls
functions, too. Prints the outcomes as the last line, in JSON.
"""

import asyncio
import base64
import importlib
import inspect
import json
import os
import sys
import time
import uuid
from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any

how, app_folder = sys.argv[1:3]

STATUS = {0: "failure", 1: "success", 2: "cancelled"}
NOW = "2026-01-01T00:00:00+00:00"


class App(ABC):
    """The app once it has started; its functions can be called by name.

    Attributes:
        triggers: by the function's name, as the host is told.
    """

    triggers: dict[str, dict[str, Any]]

    @abstractmethod
    async def start(self, settings: dict[str, str] | None) -> str:
        """Start the app; return `success`, or what went wrong.

        Args:
            settings: come with the app to a worker that waits for one, as on Flex Consumption;
                without them the process has its settings from the beginning.
        """

    @abstractmethod
    async def call(
        self, name: str, kind: str, data: Any, facts: dict[str, Any]
    ) -> tuple[str, str | None]:
        """Call a function; return how that ended, and the status of an HTTP answer.

        Args:
            name: of the function.
            kind: of the data: `string`, `json`, `bytes` or `http`.
            data: of the trigger.
            facts: of the trigger, which the host sends as JSON.
        """

    async def drain(self, name: str, connection: str) -> list[str]:
        """Call a queue function for what waits in its queue; return how each call ended."""
        from azure.storage.queue import QueueClient

        queue_name = self.triggers[name]["queueName"]
        outcomes = []
        with QueueClient.from_connection_string(connection, queue_name) as queue:
            for message in queue.receive_messages(max_messages=32, visibility_timeout=600):
                outcomes.append(await self.queue(name, message.id, message.content))
                if outcomes[-1] == "success":
                    queue.delete_message(message)
        return outcomes

    async def queue(self, name: str, message_id: str, body: str) -> str:
        """Call a queue function; return how that ended."""
        facts = {
            "Id": message_id,
            "DequeueCount": 1,
            "InsertionTime": NOW,
            "ExpirationTime": NOW,
            "NextVisibleTime": NOW,
            "PopReceipt": "receipt",
        }
        return (await self.call(name, "string", body, facts))[0]

    async def timer(self, name: str) -> str:
        """Call a timer function; return how that ended."""
        state: dict[str, Any] = {"Schedule": {}, "ScheduleStatus": None, "IsPastDue": False}
        return (await self.call(name, "json", json.dumps(state), {}))[0]

    async def blob(self, name: str, path: str, content: str) -> str:
        """Call a blob function, to which the host hands the bytes (here as base64) too."""
        data = base64.b64decode(content)
        facts = {
            "BlobTrigger": path,
            "Uri": f"https://account.test/{path}",
            "Properties": {"ContentLength": len(data)},
            "Metadata": {},
        }
        return (await self.call(name, "bytes", data, facts))[0]

    async def http(self, name: str, method: str, path: str) -> str:
        """Call an HTTP function; return the status of its answer, or how else that ended."""
        headers = {"user-agent": "driver", "accept": "text/html"}
        data = {"method": method, "url": f"http://localhost{path}", "headers": headers}
        outcome, status = await self.call(name, "http", data, {})
        return status or outcome


class WorkerApp(App):
    """The app in the worker library, which is called with the messages of the host's protocol."""

    def __init__(self, packages: str, protocol: str) -> None:
        sys.path.append(packages)
        sys.path.insert(0, protocol)
        self._protos: Any = importlib.import_module("tests.protos")
        sys.path.remove(protocol)
        self._worker: Any = importlib.import_module(how)
        self._functions: dict[str, Any] = {}

    async def start(self, settings: dict[str, str] | None) -> str:
        folder = {"function_app_directory": app_folder}
        if settings is None:
            sys.path.insert(0, app_folder)  # as the starter of the worker does
            answer = await self._ask("worker_init_request", host_version="4.1041", **folder)
        else:
            waiting = {"environment_variables": settings, **folder}
            answer = await self._ask("function_environment_reload_request", **waiting)
        if answer.result.status != 1:
            return str(answer.result.exception.message)
        self._worker.start_threadpool_executor()
        answer = await self._ask("functions_metadata_request", **folder)
        self._functions = {found.name: found for found in answer.function_metadata_results}
        self.triggers = {
            name: _trigger(found.raw_bindings) for name, found in self._functions.items()
        }
        for found in self._functions.values():
            identity = {"function_id": found.function_id, "metadata": found}
            answer = await self._ask("function_load_request", **identity)
            assert answer.result.status == 1, answer.result.exception.message
        return "success"

    async def call(
        self, name: str, kind: str, data: Any, facts: dict[str, Any]
    ) -> tuple[str, str | None]:
        typed = self._protos.TypedData
        metadata = {fact: typed(json=json.dumps(value)) for fact, value in facts.items()}
        if kind == "http":
            http = self._protos.RpcHttp(method=data["method"], url=data["url"])
            for header, value in data["headers"].items():
                http.nullable_headers[header].value = value
                http.headers[header] = value
            data = typed(http=http)
            metadata["$request"] = data
        else:
            data = typed(**{kind: data})
        parameter = self._protos.ParameterBinding(name=self.triggers[name]["name"], data=data)
        done = await self._ask(
            "invocation_request",
            invocation_id=str(uuid.uuid4()),
            function_id=self._functions[name].function_id,
            input_data=[parameter],
            trigger_metadata=metadata,
            trace_context={"trace_parent": f"00-{'a' * 32}-{'b' * 16}-01"},
            retry_context={"retry_count": 0, "max_retry_count": 0},
        )
        outcome = STATUS[done.result.status]
        if outcome != "success":
            outcome += f": {done.result.exception.message[:300]}"
        return outcome, done.return_value.http.status_code or None

    async def _ask(self, name: str, **content: Any) -> Any:
        """Send the worker a message, wrapped as the process that speaks to the host does."""
        kind = "".join(word.capitalize() for word in name.split("_"))
        message = {name: getattr(self._protos, kind)(**content)}
        properties = {"host": "127.0.0.1", "protos": self._protos}
        request = self._protos.StreamingMessage(request_id=str(uuid.uuid4()), **message)
        wrapped = SimpleNamespace(name=name, request=request, properties=properties)
        return await getattr(self._worker, name)(wrapped)


class LibraryApp(App):
    """The app in this process, called through the converters of the package azure-functions."""

    async def start(self, settings: dict[str, str] | None) -> str:
        os.environ.update(settings or {})
        sys.path.insert(0, app_folder)
        try:
            functions = importlib.import_module("function_app").app.get_functions()
        except Exception as problem:
            return f"{type(problem).__name__}: {problem}"
        self._functions = {found.get_function_name(): found for found in functions}
        self.triggers = {
            name: _trigger(found.get_raw_bindings()) for name, found in self._functions.items()
        }
        return "success"

    async def call(
        self, name: str, kind: str, data: Any, facts: dict[str, Any]
    ) -> tuple[str, str | None]:
        meta: Any = importlib.import_module("azure.functions.meta")
        metadata = {fact: meta.Datum(json.dumps(value), "json") for fact, value in facts.items()}
        if kind == "http":
            text = {part: meta.Datum(data[part], "string") for part in ("method", "url")}
            headers = {part: meta.Datum(value, "string") for part, value in data["headers"].items()}
            body = meta.Datum(b"", "bytes")
            data = {**text, "headers": headers, "params": {}, "query": {}, "body": body}
        trigger = self.triggers[name]
        converter = meta.get_binding_registry().get(trigger["type"])
        value = converter.decode(meta.Datum(data, kind), trigger_metadata=metadata)
        function = self._functions[name].get_user_function()
        try:
            if inspect.iscoroutinefunction(function):
                context = SimpleNamespace(invocation_id=str(uuid.uuid4()), function_name=name)
                answer = await function(**{trigger["name"]: value, "context": context})
                return "success", str(answer.status_code)
            await asyncio.to_thread(function, **{trigger["name"]: value})
        except Exception as problem:
            return f"failure: {type(problem).__name__}: {problem}"[:300], None
        return "success", None


def _trigger(bindings: list[str]) -> dict[str, Any]:
    """Return a function's trigger from its bindings, which are texts of JSON."""
    parsed: list[dict[str, Any]] = [json.loads(text) for text in bindings]
    return next(binding for binding in parsed if binding["type"].lower().endswith("trigger"))


async def main() -> None:
    """Start the app and do the task's calls in their order, but first those of `at_once` together.

    A call is its key in the report, the name of a method of App, and the arguments.
    """
    task = json.load(sys.stdin)
    app: App = LibraryApp() if how == "azure.functions" else WorkerApp(*sys.argv[3:5])
    begun = time.monotonic()
    report: dict[str, Any] = {"start": await app.start(task["settings"]), "calls": {}}
    report["seconds"] = round(time.monotonic() - begun, 3)
    if report["start"] == "success":
        report["triggers"] = app.triggers
        together = [getattr(app, method)(*given) for _, method, *given in task["at_once"]]
        keys = [key for key, *_ in task["at_once"]]
        report["at_once"] = list(zip(keys, await asyncio.gather(*together), strict=True))
        for key, method, *given in task["calls"]:
            report["calls"][key] = await getattr(app, method)(*given)
    print(json.dumps(report))


asyncio.run(main())
