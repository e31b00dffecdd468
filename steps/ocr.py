"""The text in the photo."""

from imaginem import JobContext, step
from imaginem.outputs import OcrText, joined, on_page


@step(pure=True)
def ocr(job: JobContext) -> OcrText:
    """Read the text in the photo, in reading order, page by page."""
    pages = [
        on_page(job.ocr.read(photo, job.call_for(photo)), photo.page) for photo in job.image.pages()
    ]
    longest = max(pages, key=lambda page: len(page.full_text))
    several = job.image.page_count > 1
    return joined(pages).model_copy(
        update={
            "full_text": "\n".join(page.full_text for page in pages if page.full_text),
            "language": longest.language,
            "ends_early": job.image.ends_early or None,
            "pages": job.image.page_count if several else None,
            "unread_pages": sorted(job.image.unread_pages) or None,
        }
    )
