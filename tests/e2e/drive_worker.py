"""Calls the app through Azure's own Python worker library, as the Functions host does.

Run by test_function_app.py in an environment with azure-functions-runtime:
`drive_worker.py APP_FOLDER PROTOS_FOLDER`. Prints the outcomes as one line of JSON.
"""

import asyncio
import json
import os
import sys
import uuid
from types import SimpleNamespace
from typing import Any

app_folder, protos_folder = sys.argv[1:3]
sys.path[:0] = [protos_folder, app_folder]

import azfunc_protos as protos  # type: ignore[import-not-found]  # noqa: E402
import azure_functions_runtime as runtime  # type: ignore[import-not-found]  # noqa: E402

STATUS = {0: "failure", 1: "success", 2: "cancelled"}
PHOTO = (
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


def request(**content: Any) -> Any:
    """Wrap a message as the host's proxy does."""
    message = protos.StreamingMessage(request_id=str(uuid.uuid4()), **content)
    properties = {"host": "127.0.0.1", "protos": protos}
    return SimpleNamespace(name=next(iter(content)), request=message, properties=properties)


def queue_call(function_id: str, body: str) -> Any:
    """Return the invocation of a queue function; the host sends its metadata as JSON."""
    call_id, now = str(uuid.uuid4()), "2026-01-01T00:00:00+00:00"
    metadata = {
        name: protos.TypedData(json=json.dumps(value))
        for name, value in {
            "Id": call_id,
            "DequeueCount": 1,
            "InsertionTime": now,
            "ExpirationTime": now,
            "NextVisibleTime": now,
            "PopReceipt": "receipt",
        }.items()
    }
    data = protos.TypedData(string=body)
    return request(
        invocation_request=protos.InvocationRequest(
            invocation_id=call_id,
            function_id=function_id,
            input_data=[protos.ParameterBinding(name="message", data=data)],
            trigger_metadata=metadata,
            trace_context={"trace_parent": f"00-{'a' * 32}-{'b' * 16}-01"},
            retry_context={"retry_count": 0, "max_retry_count": 0},
        )
    )


def http_call(function_id: str, path: str) -> Any:
    """Return the invocation of an HTTP function."""
    http = protos.RpcHttp(method="GET", url=f"http://localhost{path}")
    http.nullable_headers["user-agent"].value = "driver"
    http.headers["user-agent"] = "driver"
    data = protos.TypedData(http=http)
    return request(
        invocation_request=protos.InvocationRequest(
            invocation_id=str(uuid.uuid4()),
            function_id=function_id,
            input_data=[protos.ParameterBinding(name="req", data=data)],
            trigger_metadata={"$request": data},
        )
    )


def job() -> str:
    """Upload a photo and return a job message for the step `sample`."""
    from imaginem.runtime import default_runtime

    url = default_runtime().blobs.put(
        "inputimages", "worker/photo", bytes.fromhex(PHOTO), "image/png"
    )
    definition = {
        "id": "job-1",
        "batch_id": "worker",
        "input": {"image_url": url},
        "processing_pipeline": ["sample"],
    }
    return json.dumps({"job_definition": definition})


async def start() -> str:
    """Start the worker; return how that ended."""
    answer = await runtime.worker_init_request(
        request(
            worker_init_request=protos.WorkerInitRequest(
                host_version="4.1041", function_app_directory=app_folder, capabilities={}
            )
        )
    )
    runtime.start_threadpool_executor()
    return STATUS[answer.result.status]


async def load_functions() -> dict[str, Any]:
    """Index the app and load its functions; return their metadata by name."""
    answer = await runtime.functions_metadata_request(
        request(
            functions_metadata_request=protos.FunctionsMetadataRequest(
                function_app_directory=app_folder
            )
        )
    )
    functions = {metadata.name: metadata for metadata in answer.function_metadata_results}
    for metadata in functions.values():
        loaded = await runtime.function_load_request(
            request(
                function_load_request=protos.FunctionLoadRequest(
                    function_id=metadata.function_id, metadata=metadata
                )
            )
        )
        assert loaded.result.status == 1, loaded.result.exception.message
    return functions


async def call_health(function_id: str) -> dict[str, Any]:
    """Call the HTTP function; return how that ended, and what it answered."""
    done = await runtime.invocation_request(http_call(function_id, "/api/health"))
    answer = done.return_value.http
    body = (answer.body.bytes or answer.body.string.encode()).decode()
    return {
        "status": STATUS[done.result.status],
        "code": answer.status_code,
        "body": body[:14],
    }


async def call_without_storage(function_id: str) -> dict[str, Any]:
    """Call a queue function while storage does not answer; return how that ended."""
    os.environ["AzureWebJobsStorage"] = (  # noqa: SIM112 - the host's own name
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"
        "BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://127.0.0.1:1/a;"
        "TableEndpoint=http://127.0.0.1:1/a;"
    )
    import imaginem.runtime

    imaginem.runtime._default = None  # a new process would read the changed setting
    definition = {
        "id": "x",
        "input": {"image_url": "http://127.0.0.1:1/a/inputimages/b"},
        "processing_pipeline": ["sample"],
    }
    body = json.dumps({"job_definition": definition})
    done = await runtime.invocation_request(queue_call(function_id, body))
    return {
        "status": STATUS[done.result.status],
        "error": done.result.exception.message[:300],
    }


async def main() -> None:
    """Index the app, call a queue and an HTTP function, and one that must fail."""
    report: dict[str, Any] = {"init": await start()}
    functions = await load_functions()
    report["functions"] = {
        name: json.loads(metadata.raw_bindings[0]).get("queueName")
        for name, metadata in functions.items()
    }
    sample = functions["sample"].function_id
    done = await runtime.invocation_request(queue_call(sample, job()))
    report["success"] = {"status": STATUS[done.result.status]}
    report["health"] = await call_health(functions["http_app_func"].function_id)
    report["failure"] = await call_without_storage(sample)
    print(json.dumps(report))


asyncio.run(main())
