"""Recurrent layers whose weights are drawn once and never trained: reservoirs.

Letters: I inputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from rnnkit.network.building import build_layers
from rnnkit.network.layers import Layer
from rnnkit.network.outputs import Output
from rnnkit.network.recurrent import Recurrent

__all__ = ["Reservoir", "build_reservoir", "draw_recurrent", "spectral_radius_of"]

# Of larger matrices the largest eigenvalues are searched for instead of computing all of them.
ALL_EIGENVALUES = 600
# A search that does not end there is given up for all eigenvalues.
ARNOLDI_STEPS = 400


class Reservoir(Recurrent):
    """A recurrent layer that training leaves as it was drawn.

    Parameters
    ----------
    layer : Recurrent
        The layer of Elman cells that it is in all else; the leak is one minus its zoneout.
    spectral_radius : float
        Size of the largest eigenvalue of the recurrent matrix U.
    density : float
        Share of the units that each unit reads, at least one.
    input_scaling, bias_scaling : float
        W and b are uniform between minus this and this.
    """

    def __init__(
        self,
        layer: Recurrent,
        *,
        spectral_radius: float,
        density: float,
        input_scaling: float,
        bias_scaling: float,
    ) -> None:
        super().__init__(layer.specs, last_only=layer.last_only, longest=layer.longest)
        self.frozen = tuple(self.parameter_shapes())
        self.spectral_radius = spectral_radius
        self.density = density
        self.input_scaling = input_scaling
        self.bias_scaling = bias_scaling

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw U, W and b of each direction; what is drawn does not depend on their scales."""
        for direction, spec in enumerate(self.specs):
            names, h = self.names(direction), spec.hidden_size
            recurrent = draw_recurrent(h, self.density, rng)
            recurrent *= self.spectral_radius / spectral_radius_of(recurrent)
            inputs = rng.uniform(-1.0, 1.0, (h, spec.n_inputs))
            biases = rng.uniform(-1.0, 1.0, h)
            parameters[names["weight_hh"]][...] = recurrent
            parameters[names["weight_ih"]][...] = self.input_scaling * inputs
            parameters[names["bias"]][...] = self.bias_scaling * biases


def draw_recurrent(n_units: int, density: float, rng: Any) -> np.ndarray:
    """Draw a sparse matrix (H, H) whose rows have equally many entries, uniform in (-1, 1).

    Every row has one at least. So each unit reads another one, which somewhere closes a circle, and
    the matrix has an eigenvalue other than 0 that can be scaled.

    Parameters
    ----------
    n_units : int
        H.
    density : float
        Share of the entries that are not 0, in (0, 1].
    rng : numpy.random.RandomState or numpy.random.Generator
    """
    n_read = min(n_units, max(1, round(density * n_units)))
    places = np.argpartition(rng.uniform(size=(n_units, n_units)), n_read - 1, axis=1)[:, :n_read]
    places.sort(axis=1)
    values = rng.uniform(-1.0, 1.0, (n_units, n_read))
    matrix = np.zeros((n_units, n_units))
    np.put_along_axis(matrix, places, values, axis=1)
    return matrix


def spectral_radius_of(matrix: np.ndarray) -> float:
    """Return the size of the largest eigenvalue of a matrix (H, H)."""
    n = len(matrix)
    if n > ALL_EIGENVALUES:
        begin = np.ones(n)  # not drawn: the search has the same bits every time
        try:
            largest = scipy.sparse.linalg.eigs(
                matrix, k=8, which="LM", v0=begin, maxiter=ARNOLDI_STEPS, return_eigenvectors=False
            )
            return float(np.abs(largest).max())
        except scipy.sparse.linalg.ArpackError:
            pass
    return float(np.abs(scipy.linalg.eigvals(matrix)).max())


def build_reservoir(
    cell: str,
    n_inputs: int,
    output: Output,
    *,
    leak: float = 1.0,
    spectral_radius: float = 0.9,
    density: float = 0.1,
    input_scaling: float = 1.0,
    bias_scaling: float = 0.1,
    **options: Any,
) -> list[Layer]:
    """Return the layers of a reservoir and its readout; their parameters take no memory yet.

    Parameters
    ----------
    cell, n_inputs, output
        As in `build_layers`; the cell is "rnn".
    leak : float, default=1.0
        a in ``h' = (1 - a) h + a φ(W x + U h + b)``: what zoneout at the rate 1 - a is outside
        training, so that the cells of every backend have it.
    spectral_radius, density, input_scaling, bias_scaling
        As in `Reservoir`.
    **options : dict
        As in `build_layers`.

    Returns
    -------
    list of Layer

    Raises
    ------
    TypeError, ValueError
        As in `build_layers`.
    """
    layers = build_layers(cell, n_inputs, output, zoneout=1.0 - leak, **options)
    scales = dict(
        spectral_radius=spectral_radius,
        density=density,
        input_scaling=input_scaling,
        bias_scaling=bias_scaling,
    )
    return [
        Reservoir(layer, **scales) if isinstance(layer, Recurrent) else layer for layer in layers
    ]
