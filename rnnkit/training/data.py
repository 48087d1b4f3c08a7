"""Flat training data, and what a minibatch gathers of it on a backend.

Letters: n sequences, ΣT steps of all of them, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.inputs import Inputs
from rnnkit.sequences import Batch
from rnnkit.training.share import Share

__all__ = ["BoundData", "TrainingData"]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Flat training data: n sequences, their ΣT steps one after the other.

    Parameters
    ----------
    inputs : Inputs
        ΣT rows, on the host.
    offsets : ndarray of shape (n + 1,), intp
        Sequence s owns the rows ``offsets[s]:offsets[s + 1]``; none is empty.
    targets : ndarray of shape (n, ...) or (ΣT, ...)
        One per sequence, or one per step where the network answers per step (unless its output
        has `targets_per_sequence`): class indices as intp, numbers (·, K) in the network's
        dtype, for CTC an object array of label arrays.
    weights : ndarray of shape (n,), (ΣT,) or (ΣT, K), default=None
        In the network's dtype, one per target or per entry of it, or one per sequence if the
        network's output has `weights_per_sequence`. None means ones.
    share : Share, default=None
        Which of the sequences of all ranks these are, of which minibatches are cut together.
        None: each rank cuts its own into minibatches of its own.
    """

    inputs: Inputs
    offsets: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None
    share: Share | None = None

    @property
    def n_sequences(self) -> int:
        """Number of sequences, n."""
        return len(self.offsets) - 1


class BoundData:
    """Training data on a backend: inputs, targets and weights of the minibatch that is held.

    What it takes from the host is of the minibatch that `hold` was called with last, so that a
    backend can repeat the gathering for another one of the same plan.

    Parameters
    ----------
    data : TrainingData
    bound : BoundNetwork
        Whose backend it is brought to, and which says what there is per step.

    Attributes
    ----------
    offsets : ndarray of shape (n + 1,), intp
        As in `TrainingData`.
    batch : Batch
        The minibatch that is held.
    told_by_plan : bool
        Whether two minibatches of one plan are computed by the same operations on a backend.
        Token ids decide on the host what is looked up, CRF and CTC are computed there.
    """

    batch: Batch

    def __init__(self, data: TrainingData, bound: BoundNetwork) -> None:
        backend, network, output = bound.backend, bound.network, bound.network.output
        self.offsets = data.offsets
        self.told_by_plan = data.inputs.tokens is None and not output.on_host
        self._from_host = backend.from_host
        self._dtype = network.dtype
        self._inputs = data.inputs.on(backend)
        self._targets_per_step = network.targets_per_step
        self._weights_per_step = network.per_step and not output.weights_per_sequence
        self._targets: Any = data.targets
        self._targets_on_host = data.targets.dtype == object
        if not self._targets_on_host:
            self._targets = backend.upload(data.targets)
        self._weights = data.weights  # on the host, where they are summed
        self._batch_weights: np.ndarray | None = None

    def hold(self, batch: Batch) -> float:
        """Make a minibatch, or a part of one, what is gathered; return its sum of weights."""
        self.batch = batch
        if self._weights is None:
            self._batch_weights = None
            plan = batch.plan
            return float(plan.n_rows if self._weights_per_step else plan.n_sequences)
        places = batch.rows if self._weights_per_step else batch.sequences
        self._batch_weights = weights = self._weights.take(places, axis=0)
        return float(weights.sum()) / (1 if weights.ndim == 1 else weights.shape[1])

    def leave_out(self, n: int) -> float:
        """Set the weights of the first n sequences held to 0; return the sum that is left."""
        weights = self._batch_weights
        if weights is None:
            weights = np.ones(self.batch.plan.n_sequences, self._dtype)
        weights[:n] = 0.0
        self._batch_weights = weights
        return float(weights.sum())

    def inputs(self) -> Inputs:
        """Return the packed rows of the inputs, numbers on the backend."""
        rows = self.batch.rows
        if self._inputs.numeric is None:
            return self._inputs.take(rows)
        return self._inputs.take(rows, self._from_host(self._rows))

    def targets(self) -> tuple[Array, Array | None]:
        """Return targets and weights (None: ones) in the order of score rows, or of sequences."""
        weights = self._batch_weights
        if weights is not None:
            weights = self._from_host(self._weights_held)
        if self._targets_on_host:
            return self._targets.take(self._target_places(), axis=0), weights
        return self._targets.take(self._from_host(self._target_places), axis=0), weights

    def _rows(self) -> np.ndarray:
        return self.batch.rows

    def _target_places(self) -> np.ndarray:
        return self.batch.rows if self._targets_per_step else self.batch.sequences

    def _weights_held(self) -> np.ndarray | None:
        return self._batch_weights
