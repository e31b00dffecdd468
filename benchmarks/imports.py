"""How long the app takes to import, against the SDKs that it needs in any case."""

import os
import statistics
import subprocess
import sys
import time

from benchmarks.result import Result

_RUNS = 9
_BARE = (
    "import azure.functions, azure.storage.queue, azure.storage.blob, azure.data.tables, pydantic"
)
_APP = "import function_app"
_READY = (
    "import function_app; from imaginem.runtime import default_runtime; made = default_runtime(); "
    "made.queues, made.blobs, made.log, made.poison"
)
_HEAVY = [
    "onnxruntime",
    "openvino",
    "cv2",
    "rapidocr",
    "numpy",
    "sqlalchemy",
    "PIL",
    "pyodbc",
    "httpcore",
    "azure.identity",
    "azure.ai",
    "azure.cognitiveservices",
    "fastapi",
    "opentelemetry.sdk",
]
_AZURE = {
    "WEBSITE_SITE_NAME": "func-imaginem",
    "AzureWebJobsStorage__accountName": "stimaginem",
    "HTTP_ACCESS": "platform",
    "VISION_ENGINE": "azure",
    "FACE_ENGINE": "azure",
    "VISION_ENDPOINT": "https://v.cognitiveservices.azure.com",
    "FACE_ENDPOINT": "https://f.cognitiveservices.azure.com",
    "SQL_CONNECTION_STRING": "Server=tcp:s.database.windows.net,1433;Database=imaginem",
}


def _seconds(code: str, settings: dict[str, str] | None = None) -> float:
    """Return how long a new Python takes to run some code."""
    environment = {**os.environ, **(settings or {})}
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - begun


def _heavy_modules() -> str:
    """Return the heavy modules that the import brings, as a list in text."""
    code = f"import function_app, sys; print([m for m in {_HEAVY!r} if m in sys.modules])"
    environment = {**os.environ, **_AZURE}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def run() -> list[Result]:
    """Return the ratios, measured in turns so that a busy machine slows all alike."""
    for code in (_BARE, _APP, _READY):
        _seconds(code)  # writes the compiled files
    nothing = statistics.median(_seconds("pass") for _ in range(_RUNS))
    rounds = [(_seconds(_BARE), _seconds(_APP, _AZURE), _seconds(_READY)) for _ in range(_RUNS)]
    bare = statistics.median(bare for bare, _, _ in rounds)
    imported = statistics.median((app - nothing) / (sdks - nothing) for sdks, app, _ in rounds)
    ready = statistics.median((made - nothing) / (sdks - nothing) for sdks, _, made in rounds)
    label = "import of function_app, Azure engines / bare SDKs"
    shown = f"{imported:.2f} (bare: {bare:.2f} s)"
    heavy = _heavy_modules()
    return [
        Result(label, imported, shown, "<= 1.6", imported <= 1.6),
        Result(
            "the same with the storage clients made", ready, f"{ready:.2f}", "<= 1.6", ready <= 1.6
        ),
        Result("heavy modules it imports", len(heavy) - 2, heavy, "none", heavy == "[]"),
    ]
