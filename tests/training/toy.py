"""Small networks and ragged data for the tests of training."""

import numpy as np

from rnnkit.network import Inputs, SoftmaxCrossEntropy, build_network
from rnnkit.sequences import batch_of
from rnnkit.training import TrainingData


def toy_data(n=24, per_step=False, seed=0, weighted=False, dtype=np.float64):
    """Draw sequences whose label is the sign of their first value (per step: of the step's)."""
    rng = np.random.RandomState(seed)
    lengths = rng.randint(2, 7, n)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = rng.standard_normal((offsets[-1], 2)).astype(dtype)
    targets = (values[:, 0] > 0).astype(np.intp)
    if not per_step:
        targets = targets[offsets[:-1]]
    weights = rng.uniform(0.5, 2.0, len(targets)).astype(dtype) if weighted else None
    return TrainingData(Inputs(values), offsets, targets, weights)


def toy_network(output=None, per_step=False, seed=0, **options):
    """Build and initialize a small network for `toy_data`."""
    output = SoftmaxCrossEntropy(2) if output is None else output
    network = build_network("lstm", 2, output, per_step=per_step, **{"hidden_size": 4, **options})
    network.initialize(np.random.RandomState(seed))
    return network


def select(data, indices):
    """Return the chosen sequences as data of their own, in that order."""
    indices = np.asarray(indices, np.intp)
    batch = [np.arange(data.offsets[i], data.offsets[i + 1]) for i in indices]
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in batch], dtype=np.intp)])
    rows = np.concatenate([np.empty(0, np.intp), *batch])
    places = rows if len(data.targets) != len(data.offsets) - 1 else indices
    weights = None if data.weights is None else data.weights[places]
    return TrainingData(data.inputs.take(rows), offsets, data.targets[places], weights)


def everything(data):
    """Return the minibatch of all sequences."""
    return batch_of(data.offsets, np.arange(data.n_sequences))
