"""Values that nobody expects in a message, and JSON texts that are hardly JSON any more."""

import base64
import json
import random
from collections.abc import Callable
from typing import Any

URL_SECRET = "s3cretOfAnAddressQ7xK"
"""Stands where tokens of addresses and their passwords stand: it must not be kept anywhere."""
FIELD_SECRET = "s3cretOfAFieldW9zM"
"""Stands in fields such as `password`: it must not be told or logged."""

QUEUE_BYTES = 64 * 1024
"""Most bytes of a message on a queue."""

_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\u202egnp.exe",
    "\ufeff",
    "\ufffe\uffff",
    "e\u0301" * 40,
    "\U0001f4f7" * 300,
    "x" * 511,
    "x" * 513,
    "x" * 9_000,
    "../../etc/passwd",
    "a/b\\c#d?e%2f",
    "<script>alert(1)</script>",
    "'; DROP TABLE jobs; --",
    "{{7*7}}${7*7}%s%n",
    "=cmd|' /C calc'!A0",
    "line\nbreak\r\nTraceback (most recent call last):",
    "con.",
    "-poison",
    "azure-webjobs-hosts",
    "imaginem_run",
    "nan",
    "2026-11-27T12:00:00Z",
    "\x1b[2J\x1b[31m",
)
_NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    49,
    50,
    51,
    2**31,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    0.5,
    -0.0,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    float("-inf"),
)


def secret_texts(rng: random.Random) -> str:
    """Return an address or another text with a secret in it."""
    return rng.choice(
        (
            f"https://photos.test/a.jpg?sv=1&sig={URL_SECRET}",
            f"https://photos.test/a.jpg?sv=1&sig={URL_SECRET}%3D&se=2",
            f"https://someone:{URL_SECRET}@photos.test/a.jpg",
            f"https://x@y:{URL_SECRET}@photos.test/a.jpg",
            f"HTTPS://photos.test/a.jpg?token={URL_SECRET}",
            f"https://photos.test/a.jpg#access_token={URL_SECRET}",
            f"ftp://someone:{URL_SECRET}@photos.test/a.jpg",
            f"ftp://photos.test/a.jpg?sig={URL_SECRET}",
            f"//someone:{URL_SECRET}@photos.test/a.jpg",
            f"https:/photos.test/a.jpg?sig={URL_SECRET}",
            f"https://photos.test/a b.jpg?sig={URL_SECRET}",
            f"https://photos.test:99999/a.jpg?sig={URL_SECRET}",
            f"https://memory.test/inputimages/batch-1/photo?sig={URL_SECRET}",
            f"https://memory.test/inputimages/gone?sig={URL_SECRET}",
            f"https://memory.test/other/photo?sig={URL_SECRET}",
            f"https://busy.test/a.jpg?sig={URL_SECRET}",
        )
    )


def secret_fields(rng: random.Random) -> dict[str, Any]:
    """Return fields with secrets, as programs name them."""
    return rng.choice(
        (
            {"password": FIELD_SECRET},
            {"AccountKey": FIELD_SECRET},
            {"api_key": FIELD_SECRET, "apiKey": FIELD_SECRET},
            {"connection": f"DefaultEndpointsProtocol=https;AccountKey={FIELD_SECRET};Suffix=x"},
            {"sas": f"https://photos.test/x?sp=r&sig={FIELD_SECRET}"},
            {"inner": [{"access_token": FIELD_SECRET}]},
        )
    )


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    """Return anything that JSON can hold, and a little more."""
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind < 2:
        return rng.choice((None, True, False))
    if kind < 4:
        return rng.choice(_NUMBERS)
    if kind < 6:
        return rng.choice(_TEXTS)
    if kind == 6:
        return [odd_value(rng, depth + 1) for _ in range(rng.choice((0, 1, 3, 60)))]
    if kind == 7:
        names = [
            rng.choice((*_TEXTS, "id", "linked_content")) for _ in range(rng.choice((0, 1, 4)))
        ]
        return {name: odd_value(rng, depth + 1) for name in names}
    return nested(rng.choice((40, 150, 190, 210, 900)))


def nested(depth: int) -> Any:
    """Return lists within lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def text_of(value: Any) -> str:
    """Return a value as JSON; NaN and its like as Python writes them."""
    return json.dumps(value, ensure_ascii=True)


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _more_after(rng: random.Random, text: str) -> str:
    return text + rng.choice((" ", "}", text, "\0", ",", "null"))


def _before(rng: random.Random, text: str) -> str:
    return rng.choice(("\ufeff", " \n\t", "\0", "x", "[", "[[", "//c\n")) + text


def _double_name(rng: random.Random, text: str) -> str:
    """Write a name a second time, with another value."""
    name = rng.choice(("id", "batch_id", "input", "job_definition", "_imaginem", "processing_step"))
    places = [at for at, character in enumerate(text) if character == "{"] or [0]
    at = rng.choice(places) + 1
    return f"{text[:at]}{json.dumps(name)}: {text_of(odd_value(rng))}, {text[at:]}"


def _no_json(rng: random.Random, text: str) -> str:
    old, new = rng.choice(
        (
            ('"', "'"),
            (":", "="),
            ("1", "NaN"),
            ("0", "-Infinity"),
            ("{", "{,"),
            ("}", ",}"),
            ('"id"', "id"),
            ("a", "\\ud800"),
            ("e", "\\u0000"),
            ("0", "1e999999"),
            ("0", "9" * 5_000),
            ("/", "\\/"),
            ("&", "\\u0026"),
        )
    )
    return text.replace(old, new, rng.choice((1, 1, 10)))


def _deep(rng: random.Random, text: str) -> str:
    depth = rng.choice((100, 300, 5_000, 30_000))
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    return text.replace("null", opening * depth + "1" + closing * depth, 1)


def _many(rng: random.Random, text: str) -> str:
    many = ",".join(f'"k{number}":{number}' for number in range(rng.choice((10, 1_000, 4_000))))
    return text.replace("{", "{" + many + ",", 1)


Broken = Callable[[random.Random, str], str]
_WAYS: tuple[Broken, ...] = (_cut, _more_after, _before, _double_name, _no_json, _deep, _many)


def spoiled_text(rng: random.Random, text: str) -> tuple[str, str]:
    """Return a text that was broken in a way, and the way's name."""
    way = rng.choice(_WAYS)
    return way(rng, text), way.__name__.strip("_")


def as_sent(rng: random.Random, text: str) -> tuple[str | bytes, str]:
    """Return a text as somebody sends it, and how: most often as it is."""
    kind = rng.randrange(14)
    raw = text.encode("utf-8", "surrogatepass")
    if kind == 0:
        return base64.b64encode(raw).decode(), "base64"
    if kind == 1:
        return base64.b64encode(base64.b64encode(raw)).decode(), "base64 twice"
    if kind == 2:
        return base64.b64encode(rng.randbytes(rng.randrange(300))).decode(), "base64 of anything"
    if kind == 3:
        return text.encode("utf-16"), "utf-16"
    if kind == 4:
        spoiled = bytearray(raw or b"x")
        for _ in range(rng.choice((1, 3, 20))):
            spoiled[rng.randrange(len(spoiled))] = rng.choice((0, 0x80, 0xC0, 0xED, 0xF8, 0xFF))
        return bytes(spoiled), "no UTF-8"
    if kind == 5:
        return base64.urlsafe_b64encode(raw).decode().rstrip("="), "base64 of addresses"
    return text, "as it is"
