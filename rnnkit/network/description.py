"""A network in words: a line for each layer, its shapes, parameters and bytes.

Letters: N sequences, T steps, I inputs, H hidden units, D directions, K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import prod
from typing import Any, NamedTuple

from rnnkit.network.beside import Beside, Joined
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.dropout import Dropout, InputNoise
from rnnkit.network.layers import Dense, Layer, Rows
from rnnkit.network.meeting import Meeting
from rnnkit.network.outputs import Output
from rnnkit.network.pooling import AttentionPooling, Pooling
from rnnkit.network.previous import Previous
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.repeating import Repeating
from rnnkit.network.static import StartedRecurrent
from rnnkit.network.tied import TiedDense
from rnnkit.network.tokens import CharacterEncoder, Embedding, TokenFeatures
from rnnkit.network.writer import Writer

__all__ = ["LayerRow", "NetworkTable", "describe_layer", "tabulate"]


class LayerRow(NamedTuple):
    """A line of a `NetworkTable`.

    Parameters
    ----------
    layer : str
        What it is, with its options.
    output : str
        The shape of what it gives: "(N, T, ·)" per step, "(N, ·)" per sequence.
    n_parameters : int
        Its numbers, trained or not.
    n_trained : int
        Those that training changes.
    n_bytes : int
        The memory of its numbers.
    """

    layer: str
    output: str
    n_parameters: int
    n_trained: int
    n_bytes: int


class NetworkTable(tuple[LayerRow, ...]):
    """The layers of a network, one row each, with their sums: what ``network_.table()`` returns.

    A tuple of `LayerRow`, so that ``pandas.DataFrame(table)`` is a frame. Printed it is a table,
    in a notebook one in HTML.
    """

    _TITLES = ("layer", "output", "parameters", "bytes")

    @property
    def n_parameters(self) -> int:
        """The numbers of the whole network."""
        return sum(row.n_parameters for row in self)

    @property
    def n_trained(self) -> int:
        """Those that training changes."""
        return sum(row.n_trained for row in self)

    @property
    def n_bytes(self) -> int:
        """The memory of all of them."""
        return sum(row.n_bytes for row in self)

    def _cells(self) -> list[tuple[str, str, str, str]]:
        rows = [
            (row.layer, row.output, f"{row.n_parameters:,}", f"{row.n_bytes:,}") for row in self
        ]
        return [*rows, ("total", "", f"{self.n_parameters:,}", f"{self.n_bytes:,}")]

    def __repr__(self) -> str:
        lines = [self._TITLES, *self._cells()]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        text = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip()
            for a, b, c, d in lines
        ]
        rule = "-" * (sum(widths) + 6)
        text = [text[0], rule, *text[1:-1], rule, text[-1]]
        frozen = self.n_parameters - self.n_trained
        return "\n".join([*text, *([f"of these not trained: {frozen:,}"] if frozen else [])])

    def _repr_html_(self) -> str:
        """Return the table as HTML, for notebooks."""

        def line(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line(cells, "td") for cells in self._cells())
        return f"<table><thead>{line(self._TITLES, 'th')}</thead><tbody>{body}</tbody></table>"


def tabulate(layers: Sequence[Layer], output: Output, itemsize: int) -> NetworkTable:
    """Return the table of a network of these layers and output.

    Parameters
    ----------
    layers : sequence of Layer
    output : Output
    itemsize : int
        Bytes of a number.

    Returns
    -------
    NetworkTable
    """
    rows, place, width, shortening = [], Rows.STEPS, None, 1
    for layer in layers:
        place = place if layer.rows_out is None else layer.rows_out
        width = _width(layer, width)
        shortening *= layer.shortening
        steps = "T" if shortening == 1 else f"T / {shortening}"
        shape = ", ".join(["N", *([steps] if place is Rows.STEPS else []), str(width or "·")])
        shapes = layer.parameter_shapes()
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        frozen = sum(sizes[name] for name in layer.frozen)
        for name, kept, _ in layer.fixed_entries():
            frozen += (kept.stop - kept.start) * prod(shapes[name][1:])
        total = sum(sizes.values())
        rows.append(
            LayerRow(describe_layer(layer), f"({shape})", total, total - frozen, total * itemsize)
        )
    own = sum(prod(shape) for shape in output.parameter_shapes().values())
    if own:
        name = f"output {type(output).__name__}"
        rows.append(LayerRow(name, rows[-1].output if rows else "", own, own, own * itemsize))
    return NetworkTable(rows)


def _width(layer: Layer, before: int | None) -> int | None:
    """Return how many numbers a row of a layer's output has."""
    if isinstance(layer, Dense):
        return layer.n_outputs
    if isinstance(layer, Writer):
        return layer.n_scores
    width: int | None = getattr(layer, "width", before)
    return width


def describe_layer(layer: Any) -> str:
    """Return what a layer is in a few words, with the options that are not the usual ones."""
    if isinstance(layer, TokenFeatures):
        parts = [describe_layer(part) for part in layer.parts]
        parts += [f"{layer.n_numeric} numbers"] if layer.n_numeric else []
        return " + ".join(parts)
    if isinstance(layer, Embedding):
        tables = ", ".join(f"{size} × {dim}" for size, dim in zip(layer.sizes, layer.dims))
        return f"embedding {tables}{' (not trained)' if layer.frozen else ''}"
    if isinstance(layer, CharacterEncoder):
        spec = layer.recurrent.specs[0]
        return f"characters {layer.size} × {layer.dim}, {spec.cell} of 2 × {spec.hidden_size}"
    if isinstance(layer, Recurrent):
        return _describe_recurrent(layer)
    if isinstance(layer, AttentionPooling):
        return "attention pooling"
    if isinstance(layer, Pooling):
        return f"{layer.kind} pooling"
    if isinstance(layer, TiedDense):
        between = f" → {layer.table_width}" if layer.projects else ""
        return f"dense {layer.n_inputs}{between} → {layer.n_outputs} (by the embedding)"
    if isinstance(layer, Dense):
        return f"dense {layer.n_inputs} → {layer.n_outputs}"
    if isinstance(layer, Writer):
        return _describe_writer(layer)
    if isinstance(layer, Meeting):
        conditions = f", {layer.n_conditions} conditions" if layer.n_conditions else ""
        return f"made or real ({layer.n_features} features{conditions})"
    if isinstance(layer, Repeating):
        return "the same for every step, and its place"
    if isinstance(layer, Previous):
        return "the step before"
    if isinstance(layer, ConvolutionLayer):
        return _describe_convolution(layer)
    if isinstance(layer, Beside):
        return f"beside ({', '.join(map(describe_layer, layer.layers))})"
    if isinstance(layer, Joined):
        return "both, joined"
    if isinstance(layer, Dropout):
        return f"dropout {layer.rate:g}"
    if isinstance(layer, InputNoise):
        return f"input noise {layer.std:g}"
    return type(layer).__name__


def _describe_convolution(layer: ConvolutionLayer) -> str:
    shape = layer.shape
    options = [f"width {shape.width}"]
    options += [f"stride {shape.stride}"] if shape.stride > 1 else []
    options += ["causal"] if shape.causal else []
    options += ["layer norm"] if shape.layer_norm else []
    options += ["batch norm"] if shape.batch_norm else []
    options += [shape.activation]
    options += [f"largest of {shape.pooling}"] if shape.pooling else []
    return f"convolution {layer.n_inputs} → {layer.width} ({', '.join(options)})"


def _describe_writer(writer: Writer) -> str:
    kind = None if writer.attention is None else writer.attention.kind
    parts = [] if kind is None else [f"{kind} attention"]
    parts = [*map(describe_layer, writer.layers), *parts, describe_layer(writer.head)]
    return f"decoder ({', '.join(parts)})"


def _describe_recurrent(layer: Recurrent) -> str:
    spec = layer.specs[0]
    both = len(layer.specs) > 1
    n_inputs: Any = spec.n_inputs
    options = []
    if isinstance(layer, StartedRecurrent):
        n_inputs = layer.n_features
        options.append(f"{len(layer.static)} features make the initial state")
    options += [
        name.replace("_", " ")
        for name in ("peephole", "coupled_gates", "full_gate_recurrence", "layer_norm")
        if getattr(spec, name, False)
    ]
    if layer.fixed_gates:
        options.append(f"{', '.join(layer.fixed_gates)} always open")
    if layer.recurrent_dropout:
        options.append(f"recurrent dropout {layer.recurrent_dropout:g}")
    if spec.zoneout:
        options.append(f"zoneout {spec.zoneout:g}")
    if spec.precision == "int8":
        options.append("products in 8 bits")
    if layer.last_only:
        options.append("last state")
    units = f"2 × {spec.hidden_size}" if both else f"{spec.hidden_size}"
    text = f"{spec.cell} {n_inputs} → {units}"
    return f"{text} ({', '.join(options)})" if options else text
