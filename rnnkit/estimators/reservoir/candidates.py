"""What a network with one choice of recurrent weights after the other is worth.

Letters: N sequences, B of a minibatch, P packed rows, T steps, H hidden units, D directions,
K outputs, n genes, U units (D·H), m genes of a unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.estimators.applying import bounded_batches
from rnnkit.estimators.reservoir.moments import Moments, Readout
from rnnkit.network import BoundNetwork, Inputs, Network
from rnnkit.network.recurrent import Recurrent
from rnnkit.sequences import Plan, pack

__all__ = ["Candidates", "Genome", "Rows", "Run", "runs_of"]


class Genome:
    """How genes become the weights of a recurrent layer.

    A weight is its centre plus its scale times its gene. The centres are what the layer was
    initialized with where it is a bias, else 0; what the layer keeps fixed has no scale.

    Parameters
    ----------
    layer : Recurrent
    parameters : mapping of str to ndarray
        Those of the network, initialized; `express` writes into them.
    scales : mapping of str to float
        By the short name of a parameter; of others that of "weight_hh".

    Attributes
    ----------
    units : ndarray of shape (U, m), intp
        Which genes belong to each unit of each direction: all weights into it.
    """

    def __init__(
        self,
        layer: Recurrent,
        parameters: Mapping[str, np.ndarray],
        scales: Mapping[str, float],
    ) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        units: list[np.ndarray] = []
        first = 0
        for direction, spec in enumerate(layer.specs):
            of_direction = []
            for short, name in layer.names(direction).items():
                weights = parameters[name]
                scale = np.full(weights.shape, scales.get(short, scales["weight_hh"]))
                centre = np.zeros(weights.shape)
                if short == "bias":
                    centre[...] = weights
                for fixed, entries, value in layer.fixed_entries():
                    if fixed == name:
                        centre[entries], scale[entries] = value, 0.0
                self._parts.append((weights, centre, scale))
                places = np.arange(first, first + prod(weights.shape))
                by_unit = places.reshape(-1, spec.hidden_size, *weights.shape[1:])
                of_direction.append(by_unit.swapaxes(0, 1).reshape(spec.hidden_size, -1))
                first += len(places)
            units.append(np.concatenate(of_direction, axis=1))
        self.units = np.concatenate(units)

    def express(self, genes: np.ndarray) -> None:
        """Write the weights of genes (n,)."""
        first = 0
        for weights, centre, scale in self._parts:
            part = genes[first : first + weights.size].reshape(weights.shape)
            weights[...] = centre + scale * part
            first += weights.size


class Rows(NamedTuple):
    """What a readout is solved for: targets of rows, and what they weigh.

    Parameters
    ----------
    targets : ndarray of shape (n, K), float64
        In the unit of raw scores, one row for each step or each sequence.
    weights : ndarray of shape (n,) or (n, K), float64
        In the end.
    learnt, held : ndarray of such a shape, or None
        Those of what a candidate learns from, and of what it is judged by. None: it learns from
        all, and is judged in another way.
    """

    targets: np.ndarray
    weights: np.ndarray
    learnt: np.ndarray | None = None
    held: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """Sequences that are read up to some step of each, and then go on alone.

    Parameters
    ----------
    read, alone : Plan
        The steps before and after.
    inputs : Inputs
        The packed rows of the steps before, on the backend.
    zeros : Inputs
        In the place of those after.
    order : array of shape (B,), intp
        Which packed sequence of `read` each of `alone` is, on the backend.
    rows : ndarray of shape (P,), intp
        Rows of the targets of the packed steps after.
    """

    read: Plan
    alone: Plan
    inputs: Inputs
    zeros: Inputs
    order: Array
    rows: np.ndarray


def runs_of(
    network: Network, inputs: Inputs, offsets: np.ndarray, n_read: np.ndarray, backend: Backend
) -> list[Run]:
    """Return the runs of sequences that are longer than the steps that are read.

    Parameters
    ----------
    network : Network
    inputs : Inputs
        The steps of all sequences.
    offsets : ndarray of shape (N + 1,), intp
    n_read : ndarray of shape (N,), intp
        At least 1.
    backend : Backend
    """
    runs = []
    for batch in bounded_batches(network, offsets):
        sequences = batch.sequences[np.diff(offsets)[batch.sequences] > n_read[batch.sequences]]
        if not len(sequences):
            continue
        starts, middles = offsets[sequences], offsets[sequences] + n_read[sequences]
        read, alone = pack(middles - starts), pack(offsets[sequences + 1] - middles)
        places = np.empty(len(sequences), np.intp)
        places[read.order] = np.arange(len(sequences))
        rows = alone.rows(middles)
        zeros = np.zeros((len(rows), inputs.numeric.shape[1]), network.dtype)
        runs.append(
            Run(
                read,
                alone,
                inputs.take(read.rows(starts)).on(backend),
                Inputs(zeros).on(backend),
                backend.xp.asarray(places[alone.order]),
                rows,
            )
        )
    return runs


@dataclass(frozen=True, eq=False)
class _Batch:
    """Sequences whose states are computed at once: a plan, its inputs, and rows of the targets."""

    plan: Plan
    inputs: Inputs
    rows: np.ndarray


class Candidates:
    """A network that tries genes: a readout in closed form for each, and its error.

    Parameters
    ----------
    network : Network
        One recurrent layer and a dense head.
    genome : Genome
        Of its recurrent layer.
    inputs : Inputs
        The steps of all sequences.
    offsets : ndarray of shape (N + 1,), intp
    rows : Rows
    backend : Backend
        Active as long as candidates are tried.
    alpha : float, list of float or None
        As in `Moments.readout`.
    grid : ndarray
        As in `Moments.readout`.
    pooling : str or None
        What makes a row of a sequence; None: each step is a row.
    runs : list of Run
        If there are any, candidates are judged by how they go on alone.
    """

    def __init__(
        self,
        network: Network,
        genome: Genome,
        inputs: Inputs,
        offsets: np.ndarray,
        rows: Rows,
        backend: Backend,
        *,
        alpha: Any,
        grid: np.ndarray,
        pooling: str | None,
        runs: list[Run],
    ) -> None:
        self._network, self._genome, self._backend = network, genome, backend
        self._bound: BoundNetwork = network.bind(backend)
        self._rows, self._runs, self._pooling = rows, runs, pooling
        self._alpha, self._grid = alpha, grid
        self._batches = [
            _Batch(
                batch.plan,
                inputs.take(batch.rows).on(backend),
                batch.rows if pooling is None else batch.sequences,
            )
            for batch in bounded_batches(network, offsets)
        ]

    def worth(self, genes: np.ndarray) -> float:
        """Return the error of genes (n,), the smaller the better; inf where it is not finite."""
        rows = self._rows
        self._express(genes)
        learnt = rows.weights if rows.learnt is None else rows.learnt
        judges = () if rows.held is None else (rows.held,)
        sums, *held = self._moments(learnt, *judges)
        if not np.isfinite(sums.sums).all():
            return float("inf")
        readout = sums.readout(self._alpha, self._grid)
        if self._runs:
            error = self._error_alone(readout)
        elif held:
            error = held[0].error(readout)
        else:
            error = sums.crossed_error(readout.alpha)
        return error if np.isfinite(error) else float("inf")

    def solve(self, genes: np.ndarray) -> Readout:
        """Put the weights of genes (n,) into the network; return the readout of all rows.

        Raises
        ------
        ValueError
            If their states are not finite.
        """
        self._express(genes)
        (sums,) = self._moments(self._rows.weights)
        if not np.isfinite(sums.sums).all():
            raise ValueError(
                "no candidate has finite states; use smaller scalings, or another activation"
            )
        readout = sums.readout(self._alpha, self._grid)
        return readout._replace(bias=readout.bias - readout.weight @ self._origin)

    def _express(self, genes: np.ndarray) -> None:
        self._genome.express(genes)
        self._upload()

    def _upload(self) -> None:
        """Take the network's parameters over, where the backend keeps its own copy."""
        if not self._backend.on_host:
            flat = self._backend.upload(self._network.parameters.flat)
            self._bound.flat_parameters[...] = flat

    def _moments(self, *weights: np.ndarray) -> list[Moments]:
        """Return the sums over the rows for each choice of their weights.

        States are counted from the mean of the first ones, `_origin`: units that hardly move lie
        far from 0, and the digits of squares would tell of that alone.
        """
        width = self._network.recurrent_layers[0].width
        sums = [Moments.nothing(width, self._rows.targets.shape[1]) for _ in weights]
        for n, (batch, states) in enumerate(self._states()):
            if not n:
                self._origin = states.mean(axis=0)
            states -= self._origin
            targets = self._rows.targets[batch.rows]
            for k, of_rows in enumerate(weights):
                sums[k] = sums[k].plus(states, targets, of_rows[batch.rows])
        return sums

    def _states(self) -> Iterator[tuple[_Batch, np.ndarray]]:
        for batch in self._batches:
            if self._pooling is None:
                found = self._bound.hidden_states(batch.plan, batch.inputs, -1)
            else:
                found = self._bound.pooled_states(batch.plan, batch.inputs, -1, self._pooling)
            yield batch, np.array(self._backend.download(found), np.float64)

    def _error_alone(self, readout: Readout) -> float:
        """Return the mean squared error of the runs, summed over the outputs.

        What the head says is the next input, so that x = V h + b; the layer goes on alone as one
        with the recurrent matrix U + W V and the bias W b more, and no input.
        """
        begins = []
        for run in self._runs:
            self._bound.forward(run.read, run.inputs)
            (carried,) = self._bound.states
            begins.append(tuple(array.take(run.order, axis=0) for array in carried))
        weight = readout.weight
        bias = readout.bias - weight @ self._origin
        output: Any = self._network.output
        scale, center = np.array(output.scale)[:, None], np.array(output.center)
        parameters = self._network.parameters
        names = self._network.recurrent_layers[0].names(0)
        into = parameters[names["weight_ih"]].astype(np.float64)
        parameters[names["weight_hh"]][...] += into @ (scale * weight)
        parameters[names["bias"]][...] += into @ (scale[:, 0] * bias + center)
        parameters["head.weight"][...], parameters["head.bias"][...] = weight, bias
        self._upload()
        errors, weights = 0.0, 0.0
        for run, begin in zip(self._runs, begins):
            said = self._bound.forward(run.alone, run.zeros, states=[begin])
            missed = np.asarray(self._backend.download(said), np.float64)
            missed = missed - self._rows.targets[run.rows]
            counting = self._rows.weights[run.rows]
            if counting.ndim == 1:
                counting = counting[:, None]
            with np.errstate(over="ignore", invalid="ignore"):
                errors = errors + (counting * missed**2).sum(axis=0)
            weights = weights + counting.sum(axis=0)
        return float(np.sum(errors / weights))
