"""How soon the Photos page shows something, with 10,000 photos, against a bare page.

The bare page shows as many cards in the same styles, from nothing: no database, no filter, no
script, nobody to let in. What a page of one heading takes is told besides.

The tab is at an answer of the same site before, nothing of the page is cached, and the window
has come to rest: a new one loads pages of the browser's own. From an empty tab our page pays for
a process of its own besides (Cross-Origin-Opener-Policy), which the second row shows.
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
from imaginem.sql import Database, SqlResults
from imaginem.web.pages.render import static_file

ROOT = Path(__file__).parents[1]
PHOTOS = 10_000
_RUNS = 15
_REST = 500  # milliseconds
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
    database = Database("", home)
    results = SqlResults(database)
    for number in range(PHOTOS):
        tags = [{"name": f"tag{(number * step) % 200}", "confidence": 0.9} for step in range(1, 9)]
        found = {"generalclassification": {"tags": tags}, "ocr": {"full_text": f"number {number}"}}
        job = JobResult(
            f"batch-{number // 500}", f"{number}", ("ocr",), "https://x.test/a", None, found
        )
        results.save(job)
    database.close()


@contextmanager
def _served(folder: Path, settings: dict[str, str]) -> Iterator[str]:
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
                _seconds(address)
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


def _seconds(address: str) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(address, timeout=30) as answer:
        answer.read()
    return time.perf_counter() - begun


def _painted(addresses: list[str], *, inside: bool) -> list[tuple[float, ...]]:
    """Return milliseconds until Chromium paints, each time with an empty cache; in turns."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        return []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)

        def once(address: str) -> float:
            context = browser.new_context()
            page = context.new_page()
            if inside:
                page.goto(urljoin(address, "/api/health"))
            page.wait_for_timeout(_REST)
            page.goto(address)
            took = float(page.evaluate(_PAINTED))
            context.close()
            return took

        for address in addresses:
            once(address)
        return [tuple(once(address) for address in addresses) for _ in range(_RUNS)]


def run() -> list[Result]:
    """Measure both pages in turns, so that a busy machine slows both."""
    with tempfile.TemporaryDirectory() as name:
        home, bare = Path(name) / "home", Path(name) / "bare"
        home.mkdir()
        bare.mkdir()
        _fill(home)
        files = {name: str(static_file(name)) for name in ("pico.min.css", "app.css")}
        (bare / "function_app.py").write_text(f"FILES = {files!r}\n{_BARE}", "utf-8")
        shutil.copy(ROOT / "host.json", bare)
        settings = {"IMAGINEM_HOME": str(home)}
        with _served(bare, {}) as one, _served(ROOT, settings) as other:
            for address in (one, other):
                for _ in range(5):
                    _seconds(address)
            answers = [(_seconds(one), _seconds(other)) for _ in range(_RUNS)]
            paints = _painted([one, other, urljoin(one, "/plain")], inside=True)
            from_empty = _painted([one, other], inside=False)
    extra = statistics.median(b - a for a, b in answers) * 1000
    results = [Result("Photos page: answer after the bare page's", extra, f"{extra:.0f} ms")]
    if paints:
        ratio = _ratio(paints)
        bare_ms, ours, heading = (statistics.median(column) for column in zip(*paints, strict=True))
        shown = f"{ratio:.2f} ({ours:.0f} / {bare_ms:.0f} ms; one heading alone: {heading:.0f})"
        label = f"Photos page with {PHOTOS:,} photos: first paint / bare FastAPI+Jinja page"
        results.append(Result(label, ratio, shown, "<= 1.5", ratio <= 1.5))
        opened = _ratio(from_empty)
        results.append(Result("the same from an empty tab", opened, f"{opened:.2f}"))
    return results


def _ratio(paints: list[tuple[float, ...]]) -> float:
    return statistics.median(paint[1] / paint[0] for paint in paints)
