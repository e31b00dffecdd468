"""Convert weights from other formats to ONNX; the result has the same bytes every time."""

from pathlib import Path

from imaginem.errors import ConfigurationError


def convert(name: str, sources: list[Path]) -> bytes:
    """Return the ONNX file that a converter makes.

    Args:
        name: `efficientnet`, `text_detection`, `yunet` or `centernet`.
        sources: the files it reads, in the manifest's order.

    Raises:
        ConfigurationError: the package `onnx` is missing, or a file can't be converted.
    """
    try:
        if name == "efficientnet":
            from imaginem.assets.convert.efficientnet import to_onnx

            return to_onnx(sources[0])
        if name == "text_detection":
            from imaginem.assets.convert import text_detection

            return text_detection.to_onnx(sources[0])
        if name == "yunet":
            from imaginem.assets.convert.yunet import of_any_size

            return of_any_size(sources[0])
        from imaginem.assets.convert.centernet import convert_graph

        return convert_graph(sources[0], sources[1])
    except ImportError as problem:
        raise ConfigurationError(
            f"{problem.name} is needed to convert weights: `pip install -r requirements-local.txt`"
        ) from None
