"""What is in the photo: tags, categories, objects, colours."""

from collections.abc import Sequence

from imaginem import JobContext, step
from imaginem.outputs import Adult, Category, Description, ImageAnalysis, Tag, joined, on_page


@step(pure=True)
def generalclassification(job: JobContext) -> ImageAnalysis:
    """Say what is in the photo: tags, categories, a caption, objects, colours."""
    pages = [
        _marked(job.vision.analyze(photo, job.call_for(photo)), photo.page)
        for photo in job.image.pages()
    ]
    found = pages[0] if len(pages) == 1 else _together(pages)
    several = job.image.page_count > 1
    metadata = found.metadata.model_copy(
        update={
            "ends_early": job.image.ends_early or None,
            "pages": job.image.page_count if several else None,
            "unread_pages": sorted(job.image.unread_pages) or None,
        }
    )
    return found.model_copy(update={"metadata": metadata})


def _marked(found: ImageAnalysis, page: int | None) -> ImageAnalysis:
    """Return an analysis in which everything says on which page it is."""
    marked = on_page(found, page)
    return marked.model_copy(update={"description": on_page(found.description, page)})


def _together(pages: Sequence[ImageAnalysis]) -> ImageAnalysis:
    """Return one analysis of all pages; colours, kind and size are those of the first."""
    found = joined(pages)
    words = [word for page in pages for word in page.description.tags]
    return found.model_copy(
        update={
            "tags": _surest_tags(found.tags),
            "categories": _surest_categories(found.categories),
            "description": Description(
                tags=list(dict.fromkeys(words)), captions=joined(_descriptions(pages)).captions
            ),
            "adult": _worst([page.adult for page in pages]),
        }
    )


def _descriptions(pages: Sequence[ImageAnalysis]) -> list[Description]:
    return [page.description for page in pages]


def _surest_tags(tags: Sequence[Tag]) -> list[Tag]:
    """Return each tag once, from the page where it is surest."""
    best: dict[str, Tag] = {}
    for tag in sorted(tags, key=lambda tag: -tag.confidence):
        best.setdefault(tag.name, tag)
    return list(best.values())


def _surest_categories(categories: Sequence[Category]) -> list[Category]:
    best: dict[str, Category] = {}
    for category in sorted(categories, key=lambda category: -category.score):
        best.setdefault(category.name, category)
    return list(best.values())


def _worst(pages: Sequence[Adult]) -> Adult:
    """Return what must be said of a file one page of which is not for everybody."""
    told = {
        name: [value for page in pages if (value := getattr(page, name)) is not None]
        for name in Adult.model_fields
    }
    return Adult(**{name: max(values) for name, values in told.items() if values})
