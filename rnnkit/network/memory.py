"""How much memory a network takes: what minibatches and batches are cut by, and what is refused.

Letters: P packed rows, H hidden units, G gates, K outputs, n parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from rnnkit.network.beside import Beside, Joined
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.layers import Dense, Layer, Rows, rows_at_the_end
from rnnkit.network.network import Network
from rnnkit.network.outputs import Output
from rnnkit.network.pooling import AttentionPooling, Pooling
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.repeating import Repeating
from rnnkit.network.tokens import CharacterEncoder, TokenFeatures
from rnnkit.network.writer import Writer

__all__ = [
    "OBJECTS_OF_A_LAYER",
    "SCORES_AT_ONCE",
    "TOO_LITTLE_TO_ASK",
    "Size",
    "bytes_per_row",
    "gigabytes",
    "refuse_too_much",
    "size_of",
]

OBJECTS_OF_A_LAYER = 20_000  # bytes of Python's objects of a bound layer in one direction
LANES = 16  # to a multiple of which the core fills up hidden units, at most
SCORES_AT_ONCE = 3  # raw scores, probabilities and their gradient
TOO_LITTLE_TO_ASK = 2**26  # bytes, which no machine lacks: what is there is not even looked up


class Size(NamedTuple):
    """How large a network is, in entries of its dtype."""

    parameters: int  # n
    recurrent: int  # parameters of recurrent layers, which the core also keeps packed
    largest: tuple[int, ...]  # shape of the largest array, drawn in float64
    largest_name: str
    row: int  # kept for each packed row while training
    applied_row: int  # kept for each packed row otherwise
    sequence: int  # kept for each sequence
    directions: int  # recurrent layers, each direction counted

    def weight_parts(self, item: int) -> dict[str, int]:
        """Return the bytes that take weights and the drawing of them, in a dtype of `item` bytes.

        They are drawn in float64, array after array, and made orthogonal beside copies.
        """
        return {"the weights": self.parameters * item, "drawing them": 3 * prod(self.largest) * 8}

    def with_more_layers(self, one_less: Size, n_more: int) -> Size:
        """Return the size with n more layers like the last of these, which `one_less` lacks."""
        sums = {
            name: getattr(self, name) + n_more * (getattr(self, name) - getattr(one_less, name))
            for name in ("parameters", "recurrent", "row", "applied_row", "directions")
        }
        return self._replace(**sums)


def bytes_per_row(network: Network) -> int:
    """Estimate the bytes of activations that training keeps per packed row."""
    entries = 0
    for layer in network.recurrent_layers:
        spec = layer.specs[0]
        saved = len(spec.gates) + 3  # gates, state, cell state and the gradient on its way
        entries += spec.n_inputs + len(layer.specs) * saved * spec.hidden_size
    entries += sum(map(_convolved_row, network.layers))
    if network.per_step:
        entries += _scores_of_a_row(network.output)
    return max(entries, 1) * network.dtype.itemsize


def size_of(layers: Sequence[Layer], output: Output | None = None) -> Size:
    """Return the size of a network of these layers and output, which need not exist."""
    parts: list[Any] = [*layers, *([] if output is None else [output])]
    shapes = {name: shape for part in parts for name, shape in part.parameter_shapes().items()}
    largest = max(shapes, key=lambda name: prod(shapes[name]))
    recurrent = row = applied_row = sequence = directions = width = 0
    for layer in layers:
        if isinstance(layer, Recurrent):
            recurrent += sum(prod(shape) for shape in layer.parameter_shapes().values())
            directions += len(layer.specs)
            inputs = layer.specs[0].n_inputs
            row += inputs + sum(_kept_row(layer, d) for d in range(len(layer.specs)))
            applied_row += layer.width + (0 if width else inputs)
            if len(layer.specs) > 1:  # whose outputs, and gradients, are joined
                row += layer.width + inputs
                applied_row += layer.width
            width = layer.width
        elif isinstance(layer, TokenFeatures):
            width = layer.width
            row += 2 * width
            applied_row += width
            for part in layer.parts:
                if isinstance(part, CharacterEncoder):
                    directions += len(part.recurrent.specs)
        elif isinstance(layer, Writer):  # of as many steps as are read, for want of a better guess
            for inner in layer.recurrent_layers:
                recurrent += sum(prod(shape) for shape in inner.parameter_shapes().values())
                directions += 1
                row += 2 * inner.specs[0].n_inputs + _kept_row(inner, 0)
                applied_row += inner.width
            if layer.attention is not None:
                row += 4 * (width + layer.hidden_size)
                applied_row += width + layer.hidden_size
        elif isinstance(layer, (Pooling, AttentionPooling)):
            row += (6 if isinstance(layer, AttentionPooling) else 1) * width
        elif isinstance(layer, (ConvolutionLayer, Beside)):
            row += _convolved_row(layer)
            applied_row += _convolved_row(layer)
            width = layer.width if isinstance(layer, ConvolutionLayer) else width
        elif isinstance(layer, Joined):
            width = layer.width
        elif isinstance(layer, Repeating):
            width = layer.width
            row += 2 * width
            applied_row += width
        elif not isinstance(layer, Dense):  # noise and dropout: mask and product
            row += 2 * width
    scores = 0 if output is None else _scores_of_a_row(output)
    if _is_per_step(layers):
        row += scores
        applied_row += scores
    else:
        sequence += scores
    sequence += 4 * directions * max((_hidden(layer) for layer in layers), default=0)
    return Size(
        sum(map(prod, shapes.values())),
        recurrent,
        shapes[largest],
        largest,
        max(row, 1),
        applied_row,
        sequence,
        directions,
    )


def _convolved_row(layer: Layer) -> int:
    """Return the entries that convolutions keep for each row: what is seen, gradients, channels."""
    if isinstance(layer, Beside):
        return sum(map(_convolved_row, layer.layers))
    if not isinstance(layer, ConvolutionLayer):
        return 0
    shape = layer.shape
    seen = layer.n_inputs + 2 * shape.width * layer.n_inputs
    return seen + (8 if shape.is_normalized else 4) * layer.width + shape.width + 1


def _scores_of_a_row(output: Output) -> int:
    """Return the entries, of at least 4 bytes, that scores and what comes of them take of a row."""
    return (SCORES_AT_ONCE + 2 * output.kept_scores) * output.width


def _is_per_step(layers: Sequence[Layer]) -> bool:
    return rows_at_the_end(layers) is Rows.STEPS


def _hidden(layer: Layer) -> int:
    return layer.specs[0].hidden_size if isinstance(layer, Recurrent) else 0


def _kept_row(layer: Recurrent, direction: int) -> int:
    """Return the entries that the core keeps for each row of a direction while training."""
    spec = layer.specs[direction]
    units = -(-spec.hidden_size // LANES) * LANES
    gates = {"rnn": 1, "lstm": 4, "gru": 4}[spec.cell] * units
    entries = gates + 2 * spec.hidden_size  # and the output with its gradient
    if spec.has_cell_state:
        entries += (2 if spec.peephole else 1) * units
    if spec.full_gate_recurrence:  # what the recurrent weights are applied to
        entries += 4 * units
    elif layer.recurrent_dropout or spec.reset == "before":
        entries += 2 * units
    if spec.zoneout:
        entries += 2 * spec.hidden_size
    if spec.layer_norm:
        entries += 4 * gates + 4 * units
    if spec.precision == "bf16":
        entries += (spec.n_inputs + units + gates) // 2
    return entries


def refuse_too_much(parts: Mapping[str, int], available: int, subject: str, remedy: str) -> None:
    """Raise MemoryError, with the sum and its parts, if they are more than is available.

    Parameters
    ----------
    parts : mapping of str to int
        What takes memory, and the bytes.
    available : int
        Bytes.
    subject : str
        What asks for the memory, for the message: its first words.
    remedy : str
        What to do: the message's last words.
    """
    total = sum(parts.values())
    if total <= available:
        return
    listed = ", ".join(
        f"{gigabytes(part)} for {name}" for name, part in parts.items() if part * 200 > total
    )
    raise MemoryError(
        f"{subject} needs {gigabytes(total)} of memory ({listed}), and {gigabytes(available)} are "
        f"available; {remedy}"
    )


def gigabytes(n_bytes: int) -> str:
    """Return bytes as text, in GB of 10⁹."""
    return f"{n_bytes / 1e9:.3g} GB"
