"""Compares a model card with its ONNX file, before a photo meets it."""

from imaginem.engines.onnx.decoding import output_names
from imaginem.engines.onnx.looking import AnyCard, input_tensor, output_tensor
from imaginem.engines.onnx.network import OnnxNetwork, Tensor
from imaginem.errors import ConfigurationError
from imaginem.ports.model_card import ClassifierCard, DetectorCard, YoloOutput


def check_card(card: AnyCard, network: OnnxNetwork, labels: list[str]) -> None:
    """Check that a card's fields fit the inputs and outputs of its network.

    Args:
        card: to check.
        network: that its file holds.
        labels: that it names.

    Raises:
        ConfigurationError: names the field, and what the ONNX file says instead.
    """
    _check_input(card, input_tensor(card, network))
    if not any(labels):
        raise ConfigurationError(f"{card.name}: labels has no text that may be told")
    if isinstance(card, ClassifierCard):
        _check_scores(card, output_tensor(card, "output", card.output, network), len(labels))
    else:
        _check_outputs(card, network, len(labels))


def _check_input(card: AnyCard, wanted: Tensor) -> None:
    spec, name = card.input, card.name
    if wanted.dtype is None or len(wanted.shape) != 4:
        raise ConfigurationError(
            f"{name}: the ONNX file's input {wanted} of type {wanted.type} is no picture: four "
            "dimensions of float, float16, double or uint8 are"
        )
    if wanted.shape[0] not in (None, 1):
        raise ConfigurationError(
            f"{name}: the ONNX file takes {wanted.shape[0]} pictures at once: export it for one"
        )
    order = "channels height width" if spec.layout == "NCHW" else "height width channels"
    given = {"channels": spec.channels, "height": spec.height, "width": spec.width}
    for side, is_there in zip(order.split(), wanted.shape[1:], strict=True):
        if is_there in (None, given[side]):
            continue
        field = "input.layout and input.colours" if side == "channels" else f"input.{side}"
        raise ConfigurationError(
            f"{name}: {field} say {given[side]} {side}, and the ONNX file's input is {wanted}"
            if side == "channels"
            else f"{name}: {field} is {given[side]}, and the ONNX file's input is {wanted} in the "
            f"order of input.layout, {spec.layout}"
        )


def _check_scores(card: ClassifierCard, answer: Tensor, labels: int) -> None:
    last = answer.shape[-1] if answer.shape else None
    if last not in (None, 1, labels):  # some end with sides of 1
        raise ConfigurationError(
            f"{card.name}: labels has {labels} texts, and the ONNX file's output is {answer}"
        )


def _check_outputs(card: DetectorCard, network: OnnxNetwork, labels: int) -> None:
    fields = output_names(card) or [""]
    tensors = [output_tensor(card, "output", name, network) for name in fields]
    if isinstance(card.output, YoloOutput):
        columns = labels + (5 if card.output.objectness else 4)
        shape = tensors[0].shape
        if None not in shape and columns not in shape:
            raise ConfigurationError(
                f"{card.name}: labels has {labels} texts, so the output needs {columns} numbers "
                f"for each place, and the ONNX file's is {tensors[0]}: is output.objectness right?"
            )
