"""A head that scores tokens by the vectors with which they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.initializers import glorot_uniform
from rnnkit.network.layers import Binding, Call, Dense, Operation

__all__ = ["TiedDense"]

TABLE, WEIGHT, BIAS = "embedding.weight_0", "head.weight", "head.bias"


class TiedDense(Dense):
    """The head of tied embeddings: ``scores = E (W x) + b``, E the table of the first tokens.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input and number K of raw scores, which are the rows of E.
    width : int
        The columns of E. Where they are `n_inputs` there is no W, and ``scores = E x + b``.
    bias : float or array of shape (K,), default=0.0
        Initial bias.

    Notes
    -----
    Parameters "head.weight" (width, n_inputs), W, and "head.bias" (K,); E is the embedding's.
    Sources: Press & Wolf (2017), Inan, Khosravi & Socher (2017).
    """

    def __init__(self, n_inputs: int, n_outputs: int, width: int, bias: Any = 0.0) -> None:
        super().__init__(n_inputs, n_outputs, bias)
        self.table_width = width

    whole = (TABLE,)

    @property
    def projects(self) -> bool:
        """Whether there is a W."""
        return self.table_width != self.n_inputs

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        weight = {WEIGHT: (self.table_width, self.n_inputs)} if self.projects else {}
        return {**weight, BIAS: (self.n_outputs,)}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw W from Glorot's uniform, if there is one, and set the bias."""
        if self.projects:
            shape = (self.table_width, self.n_inputs)
            parameters[WEIGHT][...] = glorot_uniform(shape, rng)
        parameters[BIAS][...] = self.bias

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _TiedOperation(self, binding)


class _TiedOperation:
    def __init__(self, layer: TiedDense, binding: Binding) -> None:
        backend, dtype = binding.backend, binding.dtype
        self._scores = binding.dense(layer.table_width, layer.n_outputs)
        self._table = binding.parameters[TABLE]
        self._bias = binding.parameters[BIAS]
        self._dtable = binding.gradients.get(TABLE)
        self._dbias = binding.gradients.get(BIAS)
        self._input_gradient = binding.input_gradient
        self._projection = None
        if layer.projects:
            self._projection = binding.dense(layer.n_inputs, layer.table_width)
            self._weight = binding.parameters[WEIGHT]
            self._dweight = binding.gradients.get(WEIGHT)
            self._no_bias = backend.xp.zeros(layer.table_width, dtype)
            self._unused = backend.xp.zeros(layer.table_width, dtype)  # the gradient of none
        self._x: Array | None = None
        self._projected: Array | None = None

    def forward(self, x: Array, call: Call) -> Array:
        self._x = self._projected = x
        if self._projection is not None:
            self._projected = self._projection.forward(x, self._weight, self._no_bias)
        return self._scores.forward(self._projected, self._table, self._bias)

    def backward(self, dy: Array) -> Array | None:
        through = self._projection is not None or self._input_gradient
        dx = self._scores.backward(
            self._projected, dy, self._table, self._dtable, self._dbias, input_gradient=through
        )
        if self._projection is None:
            return dx
        return self._projection.backward(
            self._x,
            dx,
            self._weight,
            self._dweight,
            self._unused,
            input_gradient=self._input_gradient,
        )
