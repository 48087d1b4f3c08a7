"""What a minibatch gathers: rows, targets and weights in packed order, per sequence or per step."""

import numpy as np
import pytest
from training.toy import toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.network import CRF, CTC, Embedding, Inputs
from rnnkit.sequences import batch_of
from rnnkit.training import TrainingData
from rnnkit.training.data import BoundData


def bind(data, output=None, per_step=False, **options):
    network = toy_network(output, per_step=per_step, **options)
    return BoundData(data, network.bind(get_backend("reference"), training=True))


@pytest.mark.parametrize("per_step", [False, True])
def test_a_minibatch_is_gathered_in_packed_order(per_step):
    data = toy_data(9, per_step, weighted=True)
    bound, batch = bind(data, per_step=per_step), batch_of(data.offsets, [7, 2, 5])
    places = batch.rows if per_step else batch.sequences
    assert bound.hold(batch) == data.weights[places].sum()
    targets, weights = bound.targets()
    np.testing.assert_array_equal(bound.inputs().numeric, data.inputs.numeric[batch.rows])
    np.testing.assert_array_equal(targets, data.targets[places])
    np.testing.assert_array_equal(weights, data.weights[places])


def test_a_crf_has_targets_per_step_and_weights_per_sequence():
    data = toy_data(9, per_step=True)
    weights = np.arange(9.0)
    weighted = TrainingData(data.inputs, data.offsets, data.targets, weights)
    bound, batch = bind(weighted, CRF(2), per_step=True), batch_of(data.offsets, [7, 2, 5])
    assert bound.hold(batch) == 14
    targets, found = bound.targets()
    np.testing.assert_array_equal(targets, data.targets[batch.rows])
    np.testing.assert_array_equal(found, batch.sequences)
    assert not bound.told_by_plan


def test_ctc_has_targets_per_sequence():
    data = toy_data(9, per_step=True)
    labels = np.empty(9, dtype=object)
    labels[:] = [np.full(1, i) for i in range(9)]
    bound = bind(TrainingData(data.inputs, data.offsets, labels), CTC(9), per_step=True)
    batch = batch_of(data.offsets, [7, 2, 5])
    assert bound.hold(batch) == 3
    targets, weights = bound.targets()
    assert [int(label[0]) for label in targets] == batch.sequences.tolist()
    assert weights is None


@pytest.mark.parametrize("per_step", [False, True])
def test_without_weights_every_target_counts_once(per_step):
    data = toy_data(9, per_step)
    bound, batch = bind(data, per_step=per_step), batch_of(data.offsets, [7, 2, 5])
    assert bound.hold(batch) == (batch.plan.n_rows if per_step else 3)
    assert bound.targets()[1] is None
    assert bound.told_by_plan


@pytest.mark.parametrize("weighted", [False, True])
def test_sequences_that_are_left_out_have_no_weight(weighted):
    data = toy_data(9, weighted=weighted)
    bound, batch = bind(data), batch_of(data.offsets, [7, 2, 5])
    bound.hold(batch)
    expected = np.ones(3) if data.weights is None else data.weights[batch.sequences]
    expected[:2] = 0
    assert bound.leave_out(2) == expected.sum()
    np.testing.assert_array_equal(bound.targets()[1], expected)
    if weighted:
        assert (data.weights > 0).all()  # the data's own are left alone


def test_token_ids_are_gathered_beside_numbers():
    data = toy_data(9)
    ids = np.arange(len(data.inputs))[:, None]
    inputs = Inputs(data.inputs.numeric, ids)
    bound = bind(
        TrainingData(inputs, data.offsets, data.targets), tokens=[Embedding([len(ids)], [2])]
    )
    batch = batch_of(data.offsets, [7, 2, 5])
    bound.hold(batch)
    np.testing.assert_array_equal(bound.inputs().tokens, ids[batch.rows])
    np.testing.assert_array_equal(bound.inputs().numeric, data.inputs.numeric[batch.rows])
    assert not bound.told_by_plan
