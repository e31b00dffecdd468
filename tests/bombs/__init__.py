"""Photos that are made to cost as much as they can: small to send, endless to decode."""

from collections.abc import Callable

from tests.bombs import heics, jpegs, jxls, others, pdfs, pngs, tiffs

KINDS: dict[str, Callable[[], bytes]] = {
    **jpegs.KINDS,
    **pngs.KINDS,
    **tiffs.KINDS,
    **heics.KINDS,
    **others.KINDS,
    **pdfs.KINDS,
    **jxls.KINDS,
}
"""Makers of all bombs, by what they are."""
