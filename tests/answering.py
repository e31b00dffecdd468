"""A small HTTP server that gives prepared answers, and the form of an official example.

An `Example` names the page or file of Microsoft's that shows an answer of this shape; its body is
of our own writing. `variants` makes of it every answer that lacks a field, has null for it, knows
a field or a word more. `tests/contract/responses/` holds the tables, one module a service; a
module lists `EXAMPLES` (successes) and `REFUSALS`, and `test_official_answers.py` runs each
through the real SDK and our engine: to add a service, add its table there and how it is called.
"""

import copy
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = Any
"""A JSON value."""


@dataclass(frozen=True)
class Answer:
    """An answer of a service.

    Attributes:
        body: a JSON value; bytes are sent as they are.
        status: of HTTP.
        headers: `{address}` in a value is the server's address.
    """

    body: Json = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """An official example of a success, and what our engine must make of it.

    Attributes:
        source: where Microsoft shows an answer of this shape, and the operation.
        operation: how our engine is asked; a key of the table of operations in the test.
        answer: with a body of our own.
        expected: what the engine returns, by places such as `lines.0.text`; `""` is all of it. What
            is not there counts as None.
        essential: fields without which the answer can't be used: paths such as `lines.words`,
            without the numbers of list items. `""` is the whole body.
        before: answers to the calls that come first.
    """

    source: str
    operation: str
    answer: Answer
    expected: Mapping[str, object]
    essential: frozenset[str] = frozenset()
    before: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class RefusalExample:
    """An official example of an error, and what it must become.

    Attributes:
        source: where Microsoft shows this error, and the operation.
        operation: as of `Example`.
        answer: with a message of our own.
        error: the class of our error, exactly.
        says: what its message names: a setting to mend, or what is wrong with the photo.
        retry_after: seconds that it asks to wait at least; None where that doesn't matter.
        before: answers to the calls that come first.
    """

    source: str
    operation: str
    answer: Answer
    error: type[Exception]
    says: str
    retry_after: float | None = None
    before: tuple[Answer, ...] = ()


def place(value: Json, where: str) -> Json:
    """Return what lies at a place such as `lines.0.text`, or None."""
    for step in where.split(".") if where else ():
        if isinstance(value, list | tuple):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def variants(body: Json, essential: frozenset[str]) -> Iterator[tuple[str, Json]]:
    """Return what a service may answer instead, each with a line that says what is different.

    Every field is left out, is null and, if it is a text, has a word that nobody knows; every
    object has a field more, every list an item that is null. Of like items of a list the first
    stands for all.

    Args:
        body: a JSON value.
        essential: paths that are not left out.
    """
    for path in _places(body):
        plain = _plain(path)
        value = _at(body, path)
        if path and isinstance(path[-1], str) and plain not in essential:
            yield f"without {plain}", _changed(body, path, lambda owner, key: owner.pop(key))
            yield f"{plain} is null", _changed(body, path, _setting(None))
            if isinstance(value, str):
                yield f"{plain} is an unknown word", _changed(body, path, _setting("Unheard of"))
        if isinstance(value, dict):
            extended = {**value, "notInventedYet": {"some": ["thing"]}}
            yield f"{plain} knows more", _changed(body, path, _setting(extended))
        if isinstance(value, list) and (not value or isinstance(value[0], dict)):
            yield (
                f"{plain} has an item that is null",
                _changed(body, path, _setting([None, *value])),
            )


def spoiled(body: Json, essential: frozenset[str]) -> Iterator[tuple[str, Json]]:
    """Return the answers that can't be used: an essential field is missing or null everywhere."""
    for plain in sorted(essential):
        lacking = nulls = body
        for path in _places(body, every_item=True):
            if _plain(path) == plain and isinstance(path[-1], str):
                lacking = _changed(lacking, path, lambda owner, key: owner.pop(key))
                nulls = _changed(nulls, path, _setting(None))
        yield f"without {plain}", lacking
        yield f"{plain} is null", nulls


Path = tuple[str | int, ...]


def _plain(path: Path) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def _places(value: Json, path: Path = (), *, every_item: bool = False) -> Iterator[Path]:
    """Return the ways to all values; of like items of a list, unless all are wanted, to one."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*path, name), every_item=every_item)
    elif isinstance(value, list):
        seen: set[str] = set()
        for number, item in enumerate(value):
            shape = json.dumps(sorted(item)) if isinstance(item, dict) else ""
            if isinstance(item, dict | list) and (every_item or shape not in seen):
                seen.add(shape)
                yield from _places(item, (*path, number), every_item=every_item)


def _at(value: Json, path: Path) -> Json:
    for step in path:
        value = value[step]
    return value


def _setting(value: Json) -> Callable[[Any, Any], None]:
    def change(owner: Any, key: Any) -> None:
        owner[key] = value

    return change


def _changed(body: Json, path: Path, change: Callable[[Any, Any], object]) -> Json:
    held = copy.deepcopy({"body": body})
    whole: Path = ("body", *path)
    change(_at(held, whole[:-1]), whole[-1])
    return held["body"]


class AnsweringServer:
    """Gives the answers in `answers`, one a request; the last one again and again.

    Attributes:
        requests: method and address of every request.
    """

    def __init__(self) -> None:
        self.answers: Sequence[Answer] = ()
        self.requests: list[str] = []
        self._given = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def _answer(self) -> None:
                self._read_body()
                owner.requests.append(f"{self.command} {self.path}")
                answer = owner._next()
                is_json = not isinstance(answer.body, bytes)
                data = json.dumps(answer.body).encode() if is_json else answer.body
                self.send_response(answer.status)
                headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value.replace("{address}", owner.address))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _read_body(self) -> None:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline().strip() or b"0", 16):
                        self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        """Return the server's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def give(self, *answers: Answer) -> None:
        """Give these answers from now on."""
        self.answers, self._given = answers, 0
        self.requests.clear()

    def _next(self) -> Answer:
        answer = self.answers[min(self._given, len(self.answers) - 1)]
        self._given += 1
        return answer

    def __enter__(self) -> "AnsweringServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
