"""PDF files that are made to cost as much as they can."""

import zlib
from collections.abc import Callable, Sequence


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """Return a PDF file.

    Args:
        objects: the first is the catalogue; the number of each is its place, from 1 on.
        trailer: more entries of the trailer.
    """
    out, places = bytearray(b"%PDF-1.5\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root 1 0 R%s>>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def stream(body: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n" % (len(body), entries) + body + b"\nendstream"


CATALOGUE = b"<</Type/Catalog/Pages 2 0 R>>"


def one_page(box: bytes, *more: bytes, resources: bytes = b"", trailer: bytes = b"") -> bytes:
    """Return a file of one page; the fourth object is what is drawn on it."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources<<%s>>>>"
    pages = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
    return pdf([CATALOGUE, pages, page % (box, resources), *(more or (stream(b""),))], trailer)


def encrypted() -> bytes:
    """Return a file that asks for a password."""
    key = b"<%s>" % (b"5a" * 32)
    how = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O%s/U%s>>/ID[<00><00>]" % (key, key)
    return one_page(b"0 0 300 200", trailer=how)


def many_pages(count: int) -> bytes:
    """Return a file all of whose pages are one."""
    kids = b"3 0 R " * count
    pages = b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids)
    return pdf([CATALOGUE, pages, b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>"])


def _forms_in_forms(depth: int) -> bytes:
    """Return a page that draws a form ten times, which draws a form ten times, and so on."""
    forms = []
    for level in range(depth):
        inner = b"/Resources<</XObject<</F %d 0 R>>>>" % (level + 6)
        kind = b"/Type/XObject/Subtype/Form/BBox[0 0 300 200]"
        drawn = b"/F Do " * 10 if level < depth - 1 else b"0 0 9 9 re f"
        forms.append(stream(drawn, kind + (inner if level < depth - 1 else b"")))
    drawing = stream(b"/F Do")
    return one_page(b"0 0 300 200", drawing, *forms, resources=b"/XObject<</F 5 0 R>>")


def _large_image(side: int) -> bytes:
    packed = zlib.compress(bytes(side * side), 9)
    kind = b"/Type/XObject/Subtype/Image/ColorSpace/DeviceGray/BitsPerComponent 8"
    size = b"/Width %d/Height %d/Filter/FlateDecode" % (side, side)
    drawing = stream(b"300 0 0 200 0 0 cm /I Do")
    return one_page(
        b"0 0 300 200", drawing, stream(packed, kind + size), resources=b"/XObject<</I 5 0 R>>"
    )


KINDS: dict[str, Callable[[], bytes]] = {
    "pdf: 1,000 pages": lambda: many_pages(1_000),
    "pdf: 2,000 pages": lambda: many_pages(2_000),
    "pdf: a million pages": lambda: many_pages(1_000_000),
    "pdf: a page of 200 x 200 inches": lambda: one_page(b"0 0 14400 14400"),
    "pdf: a page of a billion points": lambda: one_page(b"0 0 1e9 1e9"),
    "pdf: a page without a size": lambda: one_page(b"0 0 0 0"),
    "pdf: a billion forms in forms": lambda: _forms_in_forms(10),
    "pdf: 19 MB of curves": lambda: one_page(
        b"0 0 300 200", stream(b"0 0 m 9 9 200 1 300 200 c S\n" * 680_000)
    ),
    "pdf: an image of 20000 x 20000": lambda: _large_image(20_000),
    "pdf: encrypted": encrypted,
    "pdf: 19 MB of nothing": lambda: b"%PDF-1.7\n" + bytes(19_000_000),
}
