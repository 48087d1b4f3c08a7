"""Gradients of a fitted network by what it reads: the numbers behind two displays.

Nothing is disturbed or dropped: the network computes as it predicts. A network that looks ids up is
entered behind its tables, where inputs are numbers.

Letters: T steps, I features of a step as the first recurrent layer takes them, F columns of a step
as users give them, H hidden units, K outputs, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.network import Inputs, Network, Quantiles
from rnnkit.network.chain import Chain
from rnnkit.network.labels import sigmoid
from rnnkit.network.layers import Binding, Layer
from rnnkit.network.losses import PoissonLoss, StandardizedOutput
from rnnkit.network.static import StartedRecurrent
from rnnkit.network.tokens import Embedding, TokenFeatures
from rnnkit.sequences import Plan, pack

__all__ = ["by_columns", "gradient_by_inputs", "jacobian_norms", "slope_of_value"]

ROWS_AT_ONCE = 2**15  # packed rows of copies of a sequence, so that memory stays bounded


def _behind_tables(
    network: Network, binding: Binding, plan: Plan, inputs: Inputs
) -> tuple[tuple[Layer, ...], Any]:
    """Return the layers that take numbers, and those numbers (P, I), on the backend."""
    inputs = inputs.on(binding.backend)
    if not network.takes_tokens:
        return network.layers, inputs.numeric
    tables = Chain(network.layers[:1], binding)
    return network.layers[1:], tables.forward(plan, inputs).copy()


def _binding(network: Network, backend: Any) -> Binding:
    bound = network.bind(backend, training=True)
    return Binding(backend, bound.parameters, bound.gradients, network.dtype, True, True)


def gradient_by_inputs(
    network: Network,
    device: str,
    inputs: Inputs,
    n_steps: int,
    slope: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the layers read of one sequence, and the gradient of a number by it.

    Parameters
    ----------
    network : Network
    device : str
        The name of the backend that computes.
    inputs : Inputs
        The T steps of the sequence.
    n_steps : int
        T.
    slope : callable
        Takes the raw scores (T, K) or (1, K) and returns the gradient of the number by them.

    Returns
    -------
    features, gradient : ndarray of shape (T, I)
    """
    backend = get_backend(device, fall_back=True)
    plan = pack(np.array([n_steps]))
    with backend.active():
        binding = _binding(network, backend)
        layers, x = _behind_tables(network, binding, plan, inputs)
        chain = Chain(layers, binding)
        scores = chain.forward(plan, x)
        dscores = slope(np.array(backend.download(scores)))
        gradient = chain.backward(backend.upload(dscores.astype(network.dtype)))
        assert gradient is not None  # it was asked for
        return np.array(backend.download(x)), np.array(backend.download(gradient))


def slope_of_value(output: Any, scores: np.ndarray, column: int) -> np.ndarray:
    """Return the derivative of an output of each row by the row's raw scores.

    Parameters
    ----------
    output : Output
        What the raw scores mean.
    scores : ndarray of shape (n, width)
    column : int
        Which output: a label, whose raw score is meant; or a number, whose predicted value is, in
        the unit of y; where there are several quantiles the numbers' columns come one after the
        other, Q for each.

    Returns
    -------
    ndarray of shape (n, width)
    """
    slope = np.zeros_like(scores)
    if isinstance(output, Quantiles):
        number, quantile = divmod(column, len(output.quantiles))
        start = number * len(output.quantiles)
        lower, middle, upper = output.columns()
        slope[:, start + middle] = 1.0
        for columns, sign in ((upper, 1.0), (lower, -1.0)):
            if quantile in columns:  # a value is the middle one and all gaps on the way
                path = [start + place for place in columns[: columns.index(quantile) + 1]]
                slope[:, path] = sign * sigmoid(scores[:, path], np)
        return slope * _scale(output, number)
    slope[:, column] = np.exp(scores[:, column]) if isinstance(output, PoissonLoss) else 1.0
    return slope * _scale(output, column)


def _scale(output: Any, number: int) -> float:
    if isinstance(output, StandardizedOutput) and output.scale is not None:
        return output.scale[number]
    return 1.0


def by_columns(
    network: Network, reader: Any, values: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return values of the features (T, I) as values of the columns of a step (T, F).

    Parameters
    ----------
    network : Network
    reader : Reader
        What says which columns hold ids.
    values : ndarray of shape (T, I)
    reduce : callable
        Makes one number of the entries (T, n) of a vector that was looked up. Of the columns that
        spell a token the first has it, the others NaN.
    """
    if not network.takes_tokens:
        return values
    features: Any = network.layers[0]
    assert isinstance(features, TokenFeatures)
    result = np.full((len(values), reader.n_step_features), np.nan)
    columns, start = list(reader.token_columns), 0
    for part in features.parts:
        widths = part.dims if isinstance(part, Embedding) else (part.width,)
        first = part.first_column if isinstance(part, Embedding) else part.columns[0]
        for place, width in enumerate(widths):
            looked_up = values[:, start : start + width]
            result[:, columns[first + place]] = reduce(looked_up)
            start += width
    numbers = [column for column in range(reader.n_step_features) if column not in columns]
    result[:, numbers] = values[:, start:]
    return result


def jacobian_norms(
    network: Network, device: str, inputs: Inputs, n_steps: int, layer: int
) -> list[np.ndarray]:
    """Return how large the derivative of a layer's last state by each earlier step's input is.

    Parameters
    ----------
    network : Network
    device : str
        The name of the backend that computes.
    inputs : Inputs
        The T steps of one sequence.
    n_steps : int
        T.
    layer : int
        Which recurrent layer, counted from 0; -1 is the last.

    Returns
    -------
    list of ndarray of shape (T,)
        For each direction of the layer the Frobenius norm of the (H, I) derivatives of its last
        state by the features of a step, by the steps between the two: the reverse direction's
        last state is that of the first step.

    Notes
    -----
    The derivatives are exact: the sequence is read once for each hidden unit, all at once, and
    each copy runs back from a unit of its own.
    """
    places = [i for i, part in enumerate(network.layers) if part in network.recurrent_layers]
    place = places[layer]
    recurrent: Any = network.layers[place]
    first: Any = network.recurrent_layers[0]
    static = first.static if isinstance(first, StartedRecurrent) else ()
    h = recurrent.specs[0].hidden_size
    squares = np.zeros((len(recurrent.specs), n_steps))
    n_copies = max(1, min(h, ROWS_AT_ONCE // n_steps))
    backend = get_backend(device, fall_back=True)
    with backend.active():
        binding = _binding(network, backend)
        layers, x = _behind_tables(network, binding, pack(np.array([n_steps])), inputs)
        chain = Chain(layers[: place + 1 - len(network.layers) + len(layers)], binding)
        for direction in range(len(recurrent.specs)):
            for start in range(0, h, n_copies):
                units = np.arange(start, min(start + n_copies, h))
                plan = pack(np.full(len(units), n_steps))
                copies = backend.upload(np.repeat(np.arange(n_steps), len(units)))
                chain.forward(plan, x.take(copies, axis=0))
                dh = np.zeros((len(units), h), network.dtype)
                dh[np.arange(len(units)), units] = 1.0
                end: list[Any] = [None] * len(recurrent.states)
                end[2 * direction] = backend.upload(dh)
                n_before = len(chain.state_gradients) - 1
                gradient = chain.backward(None, [*[None] * n_before, tuple(end)])
                dx = np.asarray(backend.download(gradient), np.float64)
                dx = np.delete(dx, list(static), axis=1)
                squares[direction] += (dx**2).sum(axis=1).reshape(n_steps, -1).sum(axis=1)
    norms = np.sqrt(squares)
    reverse = [spec.reverse for spec in recurrent.specs]
    return [row if backwards else row[::-1] for row, backwards in zip(norms, reverse)]
