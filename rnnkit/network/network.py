"""The network: a chain of layers, an output, and all their parameters in one vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from math import prod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Backend
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.description import NetworkTable, describe_layer, tabulate
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Layer, Rows, cut_needs, rows_at_the_end
from rnnkit.network.outputs import Output
from rnnkit.network.parameters import ParameterVector
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.tokens import TokenFeatures

__all__ = ["Network"]

Memory = Callable[[Mapping[str, tuple[int, ...]]], np.ndarray]


class Network:
    """A chain of layers that ends in an output object.

    Data and parameters only: it can be pickled and deep-copied. To compute, `bind` it to a
    backend.

    Parameters
    ----------
    layers : sequence of layers
        In the order they are applied; the last one gives the K raw scores of `output`.
    output : Output
        What the scores mean and the loss they are trained with.
    dtype : dtype, default="float64"
        float32 or float64.
    memory : callable, default=None
        Called with the shape of every parameter by its name, in storage order; returns the vector
        of all of them. None: zeros.

    Attributes
    ----------
    parameters : ParameterVector
        All parameters by name, those that training leaves as they are first; zero until
        `initialize` is called.
    n_frozen : int
        How many numbers at the beginning of the flat vector training leaves as they are.
    takes_tokens : bool
        Whether token ids are among the inputs.

    Raises
    ------
    ValueError
        If two layers name the same parameter, or one takes other rows than it is given.
    """

    bound_type: ClassVar[type[BoundNetwork]] = BoundNetwork  # what `bind` returns

    def __init__(
        self,
        layers: Sequence[Layer],
        output: Output,
        dtype: Any = "float64",
        memory: Memory | None = None,
    ) -> None:
        self.layers = tuple(layers)
        self.output = output
        self.takes_tokens = bool(self.layers) and isinstance(self.layers[0], TokenFeatures)
        rows_at_the_end(self.layers)
        shapes: dict[str, tuple[int, ...]] = {}
        frozen = [name for layer in self.layers for name in layer.frozen]
        parts: tuple[Layer | Output, ...] = (*self.layers, output)
        for part in parts:
            for name, shape in part.parameter_shapes().items():
                if name in shapes:
                    raise ValueError(f"two layers name the same parameter {name!r}")
                shapes[name] = shape
        shapes = {name: shapes[name] for name in (*frozen, *shapes)}
        self.n_frozen = sum(prod(shapes[name]) for name in frozen)
        flat = None if memory is None else memory(shapes)
        self.parameters = ParameterVector(shapes, dtype, flat)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of parameters, inputs and scores."""
        return self.parameters.dtype

    @property
    def per_step(self) -> bool:
        """Whether there is one row of scores per step (else one per sequence)."""
        return rows_at_the_end(self.layers) is Rows.STEPS

    @property
    def targets_per_step(self) -> bool:
        """Whether there is one target, and one decision, per step (else one per sequence)."""
        return self.per_step and not self.output.targets_per_sequence

    @property
    def recurrent_layers(self) -> tuple[Recurrent, ...]:
        """The recurrent layers of the chain, first to last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    def place_of_recurrent(self, layer: int) -> int:
        """Return where in the chain a recurrent layer stands, counted from 0; -1 is the last.

        Raises
        ------
        TypeError, ValueError
            If it is no integer, or there is no such layer.
        """
        if isinstance(layer, bool) or not isinstance(layer, Integral):
            raise TypeError(f"layer must be an integer, got {layer!r}")
        places = [i for i, part in enumerate(self.layers) if isinstance(part, Recurrent)]
        if not places:
            raise ValueError("the network has no recurrent layer, and so no states")
        if not -len(places) <= layer < len(places):
            raise ValueError(
                f"layer must lie between {-len(places)} and {len(places) - 1}, got {layer!r}"
            )
        return places[layer]

    @property
    def is_causal(self) -> bool:
        """Whether no score depends on later steps, so that state can be carried over a cut."""
        specs = [spec for layer in self.recurrent_layers for spec in layer.specs]
        whole = any(layer.needs_whole_sequences for layer in self.layers)
        return not (whole or any(spec.reverse for spec in specs))

    @property
    def cut_needs(self) -> str:
        """What parameters would have to be so that state can be carried over a cut."""
        return cut_needs(self.layers)

    def table(self) -> NetworkTable:
        """Return the layers as a table: shapes, numbers of parameters, bytes.

        Returns
        -------
        NetworkTable
            A tuple of a row for each layer, and for an output with parameters of its own.

        Examples
        --------
        >>> from rnnkit.network import SoftmaxCrossEntropy, build_network
        >>> network = build_network("gru", 3, SoftmaxCrossEntropy(2), per_step=False, hidden_size=4)
        >>> network
        Network(gru 3 → 4 (last state), dense 4 → 2: 110 parameters, float64)
        >>> network.table()
        layer                   output  parameters  bytes
        -------------------------------------------------
        gru 3 → 4 (last state)  (N, 4)         100    800
        dense 4 → 2             (N, 2)          10     80
        -------------------------------------------------
        total                                  110    880
        """
        return tabulate(self.layers, self.output, self.dtype.itemsize)

    def __repr__(self) -> str:
        layers = ", ".join(map(describe_layer, self.layers))
        n = self.parameters.flat.size
        return f"{type(self).__name__}({layers}: {n:,} parameters, {self.dtype})"

    def copy(self) -> Network:
        """Return a network of the same layers and output with parameters of its own."""
        network = copy(self)
        network.parameters = self.parameters.copy()
        return network

    def entry(self, inputs: Inputs) -> Any:
        """Return what the first layer takes: all of the inputs, or their numbers alone."""
        return inputs if self.takes_tokens else inputs.numeric

    def initialize(self, rng: Any) -> None:
        """Draw every parameter, in float64 and then rounded, in the order of the layers.

        Parameters
        ----------
        rng : numpy.random.RandomState or numpy.random.Generator
            What is drawn does not depend on the dtype.
        """
        parts: tuple[Layer | Output, ...] = (*self.layers, self.output)
        for part in parts:
            part.initialize(self.parameters, rng)

    def bind(
        self,
        backend: Backend,
        training: bool = False,
        *,
        input_gradient: bool = False,
        constant: bool = False,
    ) -> BoundNetwork:
        """Return the network's operations on a backend.

        Parameters
        ----------
        backend : Backend
            What computes, from `rnnkit.backends.get_backend`.
        training : bool, default=False
            Whether `BoundNetwork.backward` will be called and dropout applies.
        input_gradient : bool, default=False
            Whether `BoundNetwork.backward` returns the gradient by the (numeric) inputs.
        constant : bool, default=False
            Whether the weights stay as they are while the operations are used: what is made of
            them in the first call then serves all others.

        Returns
        -------
        BoundNetwork
            Cheap to make; never shared between threads. On the CPU it computes with the very
            memory of `parameters`.
        """
        return self.bound_type(self, backend, training, input_gradient, constant)
