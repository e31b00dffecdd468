"""How long the app takes to import, as a ratio to the SDKs that it can't do without."""

import os
import statistics
import subprocess
import sys
import time

from benchmarks.result import Result

_RUNS = 9
_BARE = (
    "import azure.functions, azure.storage.queue, azure.storage.blob, azure.data.tables, "
    "fastapi, pydantic"
)
_APP = "import function_app"
_READY = (
    "import function_app; from imaginem.runtime import default_runtime; made = default_runtime(); "
    "made.queues, made.blobs, made.log, made.poison"
)
_HEAVY = [
    "onnxruntime",
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
    environment = {**os.environ, **(settings or {})}
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - begun


def run() -> list[Result]:
    """Return the ratio, measured in turns so that a busy machine slows both."""
    for code in (_BARE, _APP, _READY):
        _seconds(code)  # writes the compiled files
    nothing = statistics.median(_seconds("pass") for _ in range(_RUNS))
    rounds = [(_seconds(_BARE), _seconds(_APP, _AZURE), _seconds(_READY)) for _ in range(_RUNS)]
    ratio = statistics.median((app - nothing) / (bare - nothing) for bare, app, _ in rounds)
    ready = statistics.median((made - nothing) / (bare - nothing) for bare, _, made in rounds)
    check = f"import function_app, sys; print([m for m in {_HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **_AZURE},
    ).stdout.strip()
    base = statistics.median(bare for bare, _, _ in rounds)
    return [
        Result(
            "import of function_app, Azure engines / bare SDKs",
            ratio,
            f"{ratio:.2f} (bare: {base:.2f} s)",
            "<= 1.6",
            ratio <= 1.6,
        ),
        Result(
            "the same with the storage clients made",
            ready,
            f"{ready:.2f}",
            "<= 1.6",
            ready <= 1.6,
        ),
        Result("heavy modules it imports", len(loaded) - 2, loaded, "none", loaded == "[]"),
    ]
