"""Renders templates; every value is escaped."""

import functools
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from imaginem.assets.nodejs import find_package
from imaginem.images.limits import FILE_ENDINGS
from imaginem.ports.categories import category_title
from imaginem.ports.text_search.numbers import FROM_RIGHT
from imaginem.redaction import escaped
from imaginem.usecases.access import Caller
from imaginem.usecases.reasons import told
from imaginem.web import texts
from imaginem.web.addresses import image_path, path, photo_page
from imaginem.web.pages.by_file import by_file

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# It begins where no number is going on: so a text is gone through once, whatever is in it.
_GROUPS = re.compile(r"(?<![\w+\-./()])([+(]*\d[\d+\-./()]*(?: [+(]*\d[\d+\-./()]*)+)")
"""A number in groups."""
_WEB = Path(__file__).parents[1]
STATIC = _WEB / "static"
VENDOR = {
    "htmx.min.js": ("htmx.org", "dist/htmx.min.js"),
    "pico.min.css": ("@picocss/pico", "css/pico.min.css"),
}
"""Files of packages that pages use: here by name, in `package.json` by version."""


def static_file(name: str) -> Path | None:
    """Return a file that pages load; None if there is none of this name."""
    if name in VENDOR:
        shipped = STATIC / "vendor" / name  # the deployment package has them here
        if shipped.exists():
            return shipped
        package, inside = VENDOR[name]
        folder = find_package(package, _WEB)
        return folder / inside if folder else None
    return STATIC / name if name in _own() else None


@functools.cache
def _own() -> frozenset[str]:
    return frozenset(path.name for path in STATIC.iterdir() if path.is_file())


@functools.lru_cache(maxsize=32)  # bounded: anybody may ask for any name
def static_bytes(name: str) -> bytes | None:
    """Return the bytes of a file that pages load; cached, since all are some hundred KB."""
    file = static_file(name)
    return file.read_bytes() if file else None


@functools.cache
def static_url(name: str) -> str:
    """Return a file's address, which changes with its content."""
    data = static_bytes(name)
    digest = hashlib.sha256(data).hexdigest()[:12] if data else "missing"
    return f"/static/{name}?v={digest}"


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        t=texts.translator(),
        marks=texts.MARKS,
        photo_files=",".join(("image/*", *FILE_ENDINGS)),
        language=texts.LANGUAGE,
        direction=texts.DIRECTION,
        static=static_url,
        image_path=image_path,
        photo_page=photo_page,
    )
    environment.filters.update(
        category=category_title,
        path=path,
        moment=_moment,
        iso=_iso,
        bytes=_bytes,
        told=told,
        by_file=by_file,
        visible=_visible,
        seen=_seen,
        bdi=_bdi,
        isolated=_isolated,
    )
    return environment


def _visible(text: object) -> str:
    """Return a text that turns nothing around, for attributes and where it has a `dir`."""
    return escaped(str(text))


def _bdi(text: object) -> "Markup":
    """Return a name that a sender chose, whose letters leave those beside it in their order."""
    from markupsafe import Markup

    shown = _visible(text)
    return Markup("<bdi>{}</bdi>").format(shown) if shown else Markup("")


def _seen(text: object) -> "Markup":
    """Return text of a photo; the groups of its numbers stand as they are dialled.

    On a line from right to left, browsers would show them the other way round (UAX 9).
    """
    from markupsafe import Markup

    shown = _visible(text)
    if not FROM_RIGHT.search(shown):
        return Markup("{}").format(shown)
    pieces = _GROUPS.split(shown)  # every second one is a number
    number = Markup('<bdi dir="ltr">{}</bdi>')
    return Markup("").join(
        number.format(piece) if place % 2 else piece for place, piece in enumerate(pieces)
    )


def _isolated(values: Mapping[str, object]) -> dict[str, object]:
    """Return what a sentence tells, with the names in it apart from the rest."""
    return {name: _bdi(v) if isinstance(v, str) else v for name, v in values.items()}


def _moment(at: datetime) -> str:
    return at.strftime("%d %b %Y, %H:%M UTC").lstrip("0")


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def render(
    request: Request, template: str, values: dict[str, Any] | None = None, status: int = 200
) -> HTMLResponse:
    """Return a page, or a part of one.

    Args:
        request: its state holds the caller.
        template: its file.
        values: that the template shows.
        status: of the answer.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    shown = {"caller": caller, "here": request.url.path, **(values or {})}
    return HTMLResponse(_environment().get_template(template).render(shown), status)
