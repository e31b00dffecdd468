"""Text that stands on its head is read by the local engine."""

import io

from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.engines.local.ocr import LocalOcr
from imaginem.images.decoding import decode_photo
from imaginem.ports import CallContext

CALL = CallContext.without_job("test")


def test_a_page_upside_down_gives_the_words_of_the_upright_one() -> None:
    store = AssetStore(read_settings().assets)
    upright = decode_photo(store.path("page.png").read_bytes())
    file = io.BytesIO()
    upright.pil.rotate(180).save(file, "PNG")
    engine = LocalOcr(store)

    words = set(engine.read(upright, CALL).full_text.split())
    found = set(engine.read(decode_photo(file.getvalue()), CALL).full_text.split())

    assert len(words) > 10
    assert len(words & found) >= 0.9 * len(words)
