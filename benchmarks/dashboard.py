"""The first paint of the Photos page with 10,000 photos, against a bare page.

The bare page has as many cards in the same styles, but no database, filter, script or access
control. The first paint of a page with only a heading is shown too.

Before each measurement the tab shows an API answer of the same site, the cache is empty, and the
window has been idle for a while, since a new one loads pages of the browser itself. From an empty
tab the browser starts a new process for our page (Cross-Origin-Opener-Policy): the second row.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

from benchmarks.result import Result
from imaginem.ports import JobResult
from imaginem.sql import Database, SqlErasedRuns, SqlResults
from imaginem.web.pages.render import static_file

ROOT = Path(__file__).parents[1]
PHOTOS = 10_000
_RUNS = 15
_IDLE = 500  # milliseconds
_BARE = """
import azure.functions as func
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment

page = Environment(autoescape=True).from_string('''<!doctype html>
<html lang="en"><head><title>{{ name }}</title>
<link rel="stylesheet" href="/static/pico.min.css"><link rel="stylesheet" href="/static/app.css">
</head><body><main class="container-fluid"><h1>{{ name }}</h1>
<ul class="cards">{% for n in range(24) %}<li class="card"><a href="/photos/{{ n }}">
<span class="no-photo">The photo is not kept here.</span><span class="name">{{ n }}</span></a>
<p class="tags"><a href="/a">tag</a> <a href="/b">tag</a> <a href="/c">tag</a></p></li>{% endfor %}
</ul></main></body></html>''')
plain = Environment(autoescape=True).from_string(
    "<!doctype html><title>{{ name }}</title><h1>{{ name }}</h1>"
)
http = FastAPI()


@http.get("/static/{name}")
def static(name: str) -> FileResponse:
    return FileResponse(FILES[name])


@http.get("/plain")
def bare() -> HTMLResponse:
    return HTMLResponse(plain.render(name="Photos"))


@http.get("/photos")
def photos() -> HTMLResponse:
    return HTMLResponse(page.render(name="Photos"))


app = func.AsgiFunctionApp(app=http, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
_PAINTED = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) resolve(entry.startTime);
  }).observe({ type: "paint", buffered: true });
})"""


def _fill(home: Path) -> None:
    """Save the results of 10,000 jobs."""
    database = Database("", home)
    results = SqlResults(database, SqlErasedRuns(database))
    for number in range(PHOTOS):
        tags = [{"name": f"tag{(number * step) % 200}", "confidence": 0.9} for step in range(1, 9)]
        outputs = {
            "generalclassification": {"tags": tags},
            "ocr": {"full_text": f"number {number}"},
        }
        job = JobResult(
            f"batch-{number // 500}", f"{number}", ("ocr",), "https://x.test/a", None, outputs
        )
        results.save(job)
    database.close()


@contextmanager
def served(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    """Serve a function app over HTTP; yield the address of its Photos page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "imaginem.host.http", str(folder), str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **settings})
    address = f"http://127.0.0.1:{port}/photos"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                seconds_of(address)
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def seconds_of(address: str) -> float:
    """Return how long an address takes to answer."""
    begun = time.perf_counter()
    with urllib.request.urlopen(address, timeout=30) as answer:
        answer.read()
    return time.perf_counter() - begun


def _first_paints(addresses: list[str], *, from_site: bool) -> list[tuple[float, ...]]:
    """Return milliseconds until Chromium first paints each address, in turns, without a cache.

    Args:
        addresses: measured in turns.
        from_site: the tab shows another answer of the same site before; else it is empty.
    """
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        return []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)

        def first_paint(address: str) -> float:
            context = browser.new_context()
            page = context.new_page()
            if from_site:
                page.goto(urljoin(address, "/api/health"))
            page.wait_for_timeout(_IDLE)
            page.goto(address)
            milliseconds = float(page.evaluate(_PAINTED))
            context.close()
            return milliseconds

        for address in addresses:
            first_paint(address)
        return [tuple(first_paint(address) for address in addresses) for _ in range(_RUNS)]


@contextmanager
def _both_pages() -> Iterator[tuple[str, str]]:
    """Serve the bare page and the Photos page with 10,000 photos; yield their addresses."""
    with tempfile.TemporaryDirectory() as folder:
        home, bare_app = Path(folder) / "home", Path(folder) / "bare"
        home.mkdir()
        bare_app.mkdir()
        _fill(home)
        files = {name: str(static_file(name)) for name in ("pico.min.css", "app.css")}
        (bare_app / "function_app.py").write_text(f"FILES = {files!r}\n{_BARE}", "utf-8")
        shutil.copy(ROOT / "host.json", bare_app)
        settings = {"IMAGINEM_HOME": str(home)}
        with served(bare_app, {}) as bare, served(ROOT, settings) as photos:
            yield bare, photos


def run() -> list[Result]:
    """Measure both pages in turns, so that a busy machine slows both."""
    with _both_pages() as (bare, photos):
        for address in (bare, photos):
            for _ in range(5):
                seconds_of(address)
        answers = [(seconds_of(bare), seconds_of(photos)) for _ in range(_RUNS)]
        paints = _first_paints([bare, photos, urljoin(bare, "/plain")], from_site=True)
        from_empty = _first_paints([bare, photos], from_site=False)
    extra = statistics.median(seconds - bare_seconds for bare_seconds, seconds in answers) * 1000
    results = [Result("Photos page: answer after the bare page's", extra, f"{extra:.0f} ms")]
    if paints:
        ratio = _ratio(paints)
        base, page, heading = (statistics.median(column) for column in zip(*paints, strict=True))
        shown = f"{ratio:.2f} ({page:.0f} / {base:.0f} ms; one heading alone: {heading:.0f})"
        label = f"Photos page with {PHOTOS:,} photos: first paint / bare FastAPI+Jinja page"
        results.append(Result(label, ratio, shown, "<= 1.5", ratio <= 1.5))
        empty = _ratio(from_empty)
        results.append(Result("the same from an empty tab", empty, f"{empty:.2f}"))
    return results


def _ratio(paints: list[tuple[float, ...]]) -> float:
    """Return the median of the Photos page's first paint against the bare page's."""
    return statistics.median(paint[1] / paint[0] for paint in paints)
