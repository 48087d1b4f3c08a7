"""Shares of common minibatches: as many ranks as one likes, the training of one machine."""

import threading

import numpy as np
import pytest
from tolerances import assert_close
from training.test_communicator import SECONDS, Rank
from training.toy import select, toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.network import CRF
from rnnkit.training import LBFGS, SGD, Share, Trainer, TrainingData, Validation

BACKEND = get_backend("cpu")


def share_of(data, places, rank, weights_per_step):
    own = select(data, places)
    lengths = np.diff(data.offsets)
    weights = data.weights
    if weights is None:
        weights = np.ones(len(data.targets) if weights_per_step else data.n_sequences)
    if weights_per_step:
        weights = np.add.reduceat(weights, data.offsets[:-1])
    share = Share(lengths, np.asarray(places, np.intp), weights.astype(np.float64), rank)
    return TrainingData(own.inputs, own.offsets, own.targets, own.weights, share)


def trained(data, network, communicator=None, n_epochs=3, validation=None, **options):
    options = {"learning_rate_init": 0.05, "batch_size": 5, **options}
    trainer = Trainer(
        network,
        BACKEND,
        communicator=communicator,
        random_state=np.random.RandomState(3),
        monitor="loss",
        **options,
    )
    validate = None if validation is None else trainer.loss_of(validation)
    check = None if validate is None else lambda: Validation(None, validate())
    return trainer.fit(data, n_epochs, check)


def shared(data, cuts, per_step=False, network=None, **options):
    barrier, exchanged = threading.Barrier(len(cuts)), [None] * len(cuts)
    networks = [toy_network(per_step=per_step, **(network or {})) for _ in cuts]
    results, errors = [None] * len(cuts), []

    def run(rank):
        try:
            by_sequence = isinstance(networks[rank].output, CRF)
            part = share_of(data, cuts[rank], rank, per_step and not by_sequence)
            more = {"validation": part} if options.get("validates") else {}
            given = {k: v for k, v in options.items() if k != "validates"}
            results[rank] = trained(
                part, networks[rank], Rank(rank, barrier, exchanged), **more, **given
            )
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(cuts))]
    [thread.start() for thread in threads]
    [thread.join(SECONDS) for thread in threads]
    if errors:
        raise errors[0]
    for other in networks[1:]:
        np.testing.assert_array_equal(other.parameters.flat, networks[0].parameters.flat)
    return networks[0], results[0]


CUTS = {
    "one": [range(24)],
    "two": [range(0, 24, 2), range(1, 24, 2)],
    "uneven": [range(3), range(3, 24)],
    "three, one of them empty": [range(10), [], range(10, 24)],
}

CASES = {
    "adam": {},
    "nesterov": {"solver": SGD(nesterov=True, momentum=0.9)},
    "adadelta": {"solver": "adadelta", "learning_rate_init": 1.0},
    "lbfgs": {"solver": LBFGS(), "n_epochs": 3},
    "lbfgs, dropout": {"solver": LBFGS(), "n_epochs": 3, "network": {"dropout": 0.3}},
    "penalties": {"alpha": 0.1, "l1": 0.01},
    "in order": {"shuffle": False},
    "windows": {"bptt_steps": 2},
    "windows, per step": {"bptt_steps": 2, "per_step": True},
    "windows, dropout": {
        "bptt_steps": 2,
        "network": {"dropout": 0.4, "recurrent_dropout": 0.3, "n_layers": 2},
    },
    "per step": {"per_step": True},
    "dropout": {
        "network": {"dropout": 0.4, "recurrent_dropout": 0.3, "input_noise": 0.2, "n_layers": 2}
    },
    "dropout, per step": {"network": {"dropout": 0.4, "recurrent_dropout": 0.3}, "per_step": True},
    "crf": {"per_step": True, "network": {"output": CRF(2)}},
    "validation": {"validates": True},
    "cosine": {"schedule": "cosine"},
}


@pytest.mark.parametrize("weighted", (False, True))
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cut", CUTS)
def test_shares_train_as_one(cut, case, weighted):
    options = dict(CASES[case])
    per_step = options.get("per_step", False)
    if case == "crf" and weighted:
        pytest.skip("weights of a CRF are per sequence, the toy's per step")
    data = toy_data(24, per_step, weighted=weighted)
    network, result = shared(data, CUTS[cut], **options)
    validates = options.pop("validates", False)
    options.pop("per_step", None)
    alone = toy_network(per_step=per_step, **options.pop("network", {}))
    before = alone.parameters.flat.copy()
    expected = trained(data, alone, validation=data if validates else None, **options)
    assert np.abs(alone.parameters.flat - before).max() > 1e-3
    # whose line searches carry rounding further than steps do
    sums = 2**18 if "lbfgs" in case else 2**14
    assert_close(network.parameters.flat, alone.parameters.flat, np.float64, sums)
    assert_close(result.loss_curve, expected.loss_curve, np.float64, sums)


def test_parts_of_minibatches_draw_for_themselves():
    """Where no pass is over all of a minibatch, ranks draw by themselves, and again the same."""
    data = toy_data(24)
    options = {"network": {"dropout": 0.5}, "max_activation_bytes": 1}
    first, _ = shared(data, CUTS["two"], **options)
    again, _ = shared(data, CUTS["two"], **options)
    np.testing.assert_array_equal(first.parameters.flat, again.parameters.flat)


def test_a_row_of_length_one_draws_as_many_as_all():
    """A rank whose sequences have a single step each draws for the steps of the others too."""
    data = toy_data(12)
    ones = select(data, range(6))
    rows = ones.offsets[:-1]
    short = TrainingData(ones.inputs.take(rows), np.arange(7), ones.targets)
    both = TrainingData(
        type(data.inputs)(np.concatenate([data.inputs.numeric, short.inputs.numeric])),
        np.concatenate([data.offsets, data.offsets[-1] + np.arange(1, 7)]),
        np.concatenate([data.targets, short.targets]),
    )
    options = {"network": {"dropout": 0.5, "n_layers": 2}}
    network, _ = shared(both, [range(12), range(12, 18)], **options)
    alone = toy_network(**options["network"])
    trained(both, alone)
    assert_close(network.parameters.flat, alone.parameters.flat, np.float64, 2**12)
