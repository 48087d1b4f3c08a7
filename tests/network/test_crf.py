"""The linear-chain CRF against enumeration of all labellings and finite differences."""

import itertools
import pickle

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import UNKNOWN, OutputContext
from rnnkit.network.crf import CRF
from rnnkit.network.transitions import rules_of
from rnnkit.sequences import pack

LENGTHS = [3, 1, 4, 4, 2]
DIFFERENCE_STEP = 1e-5
GRADIENT_TOLERANCE = 1e-6  # the project's promise for finite differences in float64


@pytest.fixture(params=["reference", "cpu"])
def backend(request):
    return get_backend(request.param)


@pytest.fixture
def operations(backend):
    return backend.labels


def problem(lengths, n_labels, seed=0, dtype=np.float64, scale=1.0):
    """Return a plan, scores, labels and the three parameters."""
    rng = np.random.default_rng(seed)
    plan = pack(np.array(lengths))
    scores = (scale * rng.normal(size=(plan.n_rows, n_labels))).astype(dtype)
    labels = rng.integers(0, n_labels, plan.n_rows)
    shapes = [(n_labels, n_labels), n_labels, n_labels]
    parameters = [(scale * rng.normal(size=shape)).astype(dtype) for shape in shapes]
    return plan, scores, labels, parameters


def rows_of(plan, b):
    return np.flatnonzero(plan.sequence_of_row() == b)


def enumerate_labellings(scores, transitions, start, end):
    """Return every labelling of one sequence and its score, summed term by term."""
    n_steps, n_labels = scores.shape
    labellings = list(itertools.product(range(n_labels), repeat=n_steps))
    totals = []
    for y in labellings:
        total = start[y[0]] + end[y[-1]] + sum(scores[t, k] for t, k in enumerate(y))
        totals.append(total + sum(transitions[i, j] for i, j in itertools.pairwise(y)))
    return np.array(labellings), np.array(totals)


@pytest.mark.parametrize("n_labels", [1, 2, 3])
def test_loss_marginals_and_viterbi_match_the_enumeration_of_all_labellings(operations, n_labels):
    plan, scores, labels, parameters = problem(LENGTHS, n_labels)
    losses = operations.crf_loss(scores, labels, plan, *parameters).losses
    marginals = operations.crf_marginals(scores, plan, *parameters)
    decided, best = operations.crf_viterbi(scores, plan, *parameters)
    for b in range(plan.n_sequences):
        rows = rows_of(plan, b)
        labellings, totals = enumerate_labellings(scores[rows], *parameters)
        probabilities = np.exp(totals) / np.exp(totals).sum()
        true = (labellings == labels[rows]).all(axis=1)
        assert_close(losses[b], -np.log(probabilities[true][0]), np.float64, len(totals))
        for k in range(n_labels):
            expected = probabilities @ (labellings == k)
            assert_close(marginals[rows, k], expected, np.float64, len(totals))
        assert decided[rows].tolist() == labellings[totals.argmax()].tolist()
        assert_close(best[b], totals.max(), np.float64, len(rows))


@pytest.mark.parametrize("weights", [None, np.array([0.5, 2.0, 0.0, 1.5, 1.0])])
def test_gradients_match_finite_differences(operations, weights):
    plan, scores, labels, parameters = problem(LENGTHS, 3)
    arrays = [scores, *parameters]
    result = operations.crf_loss(scores, labels, plan, *parameters, weights)
    per_sequence = np.ones(len(LENGTHS)) if weights is None else weights

    def loss():
        losses = operations.crf_loss(arrays[0], labels, plan, *arrays[1:]).losses
        return losses @ per_sequence

    for array, gradient in zip(arrays, result[1:], strict=True):
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + DIFFERENCE_STEP
            above = loss()
            array[index] = value - DIFFERENCE_STEP
            below = loss()
            array[index] = value
            numeric = (above - below) / (2 * DIFFERENCE_STEP)
            assert abs(gradient[index] - numeric) <= GRADIENT_TOLERANCE


def test_gradient_of_an_unlikely_labelling_pushes_towards_it(operations):
    plan, scores, labels, parameters = problem(LENGTHS, 3)
    result = operations.crf_loss(scores, labels, plan, *parameters)
    stepped = [
        array - 0.05 * gradient for array, gradient in zip([scores, *parameters], result[1:])
    ]
    after = operations.crf_loss(stepped[0], labels, plan, *stepped[1:]).losses
    assert after.sum() < result.losses.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_labels", [1, 2, 5, 17, 33])
def test_a_sequence_has_the_same_bits_alone_and_in_any_batch(operations, n_labels, dtype):
    lengths = [7, 1, 12, 12, 3, 9, 1, 2, 5]
    plan, scores, labels, parameters = problem(lengths, n_labels, dtype=dtype)
    weights = np.linspace(0.1, 2.0, len(lengths))
    whole = operations.crf_loss(scores, labels, plan, *parameters, weights)
    marginals = operations.crf_marginals(scores, plan, *parameters)
    decided, best = operations.crf_viterbi(scores, plan, *parameters)
    batches = [[b] for b in range(len(lengths))] + [[0, 2, 5], [1, 3, 4, 6, 7, 8]]
    for members in batches:
        part = pack(plan.lengths[members])
        taken = np.empty(part.n_rows, dtype=np.intp)
        for place, b in enumerate(members):
            taken[rows_of(part, place)] = rows_of(plan, b)
        result = operations.crf_loss(
            scores[taken], labels[taken], part, *parameters, weights[members]
        )
        assert result.losses.tobytes() == whole.losses[members].tobytes()
        assert result.dscores.tobytes() == whole.dscores[taken].tobytes()
        alone = operations.crf_marginals(scores[taken], part, *parameters)
        assert alone.tobytes() == marginals[taken].tobytes()
        part_labels, part_best = operations.crf_viterbi(scores[taken], part, *parameters)
        assert part_labels.tobytes() == decided[taken].tobytes()
        assert part_best.tobytes() == best[members].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_stay_finite(operations, dtype):
    plan, scores, labels, parameters = problem([6, 4, 1], 4, dtype=dtype, scale=1e4)
    result = operations.crf_loss(scores, labels, plan, *parameters)
    assert all(np.isfinite(part).all() for part in result)
    assert (result.losses >= 0).all()
    marginals = operations.crf_marginals(scores, plan, *parameters)
    assert_close(marginals.sum(axis=1), np.ones(plan.n_rows), dtype, 1e4)
    decided, _ = operations.crf_viterbi(scores, plan, *parameters)
    assert (marginals.argmax(axis=1) == decided).all()


def test_dtype_follows_the_scores_and_loss_is_computed_in_float64(operations):
    plan, scores, labels, parameters = problem(LENGTHS, 3, dtype=np.float32)
    single = operations.crf_loss(scores, labels, plan, *parameters)
    double = operations.crf_loss(
        scores.astype(float), labels, plan, *(array.astype(float) for array in parameters)
    )
    assert single.dscores.dtype == np.float32
    assert operations.crf_marginals(scores, plan, *parameters).dtype == np.float32
    assert single.losses.tolist() == double.losses.tolist()


def test_an_empty_sequence_costs_nothing(operations):
    plan, scores, labels, parameters = problem([2, 0, 3], 3)
    result = operations.crf_loss(scores, labels, plan, *parameters, np.ones(3))
    without = operations.crf_loss(scores, labels, pack(np.array([2, 3])), *parameters)
    assert result.losses.tolist() == [*without.losses.tolist(), 0.0]
    assert (result.dscores == without.dscores).all()
    _, best = operations.crf_viterbi(scores, plan, *parameters)
    assert best[2] == 0.0


def test_ties_are_decided_for_the_lowest_label(operations):
    plan = pack(np.array([3, 2]))
    decided, best = operations.crf_viterbi(
        np.zeros((5, 4)), plan, np.zeros((4, 4)), np.zeros(4), np.zeros(4)
    )
    assert decided.tolist() == [0] * 5
    assert best.tolist() == [0.0, 0.0]


def test_transitions_lead_from_the_first_index_to_the_second(operations):
    plan = pack(np.array([3]))
    transitions = np.array([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    decided, best = operations.crf_viterbi(
        np.zeros((3, 3)), plan, transitions, np.zeros(3), np.zeros(3)
    )
    assert decided.tolist() == [0, 1, 2]
    assert best.tolist() == [18.0]


# Label 1 never begins, 0 never ends, 1 never follows 0, 2 never follows 2.
RULES = ((None, 1), (0, None), (0, 1), (2, 2))


def ruled(parameters, forbidden):
    rules = rules_of(forbidden, len(parameters[1]))
    return [array + rule for array, rule in zip(parameters, rules)]


def is_legal(labelling, forbidden):
    return not set(forbidden) & set(itertools.pairwise([None, *labelling, None]))


def legal_labels(plan, forbidden, n_labels, seed=1):
    """Return labels (P,) that break no rule, drawn among all such."""
    rng = np.random.default_rng(seed)
    labels = np.empty(plan.n_rows, np.intp)
    for b in range(plan.n_sequences):
        rows = rows_of(plan, b)
        paths = itertools.product(range(n_labels), repeat=len(rows))
        labels[rows] = rng.choice([path for path in paths if is_legal(path, forbidden)])
    return labels


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("seed", range(5))
def test_with_rules_loss_marginals_and_viterbi_are_those_of_the_allowed_labellings(
    operations, seed, scale
):
    plan, scores, _, parameters = problem(LENGTHS, 3, seed, scale=scale)
    labels, parameters = legal_labels(plan, RULES, 3), ruled(parameters, RULES)
    losses = operations.crf_loss(scores, labels, plan, *parameters).losses
    marginals = operations.crf_marginals(scores, plan, *parameters)
    decided, best = operations.crf_viterbi(scores, plan, *parameters)
    for b in range(plan.n_sequences):
        rows = rows_of(plan, b)
        labellings, totals = enumerate_labellings(scores[rows], *parameters)
        allowed = np.array([is_legal(path, RULES) for path in labellings.tolist()])
        labellings, totals = labellings[allowed], totals[allowed]
        probabilities = np.exp(totals - totals.max())
        log_z = np.log(probabilities.sum()) + totals.max()
        probabilities /= probabilities.sum()
        true = (labellings == labels[rows]).all(axis=1)
        size = abs(totals).max()
        assert_close(losses[b], log_z - totals[true][0], np.float64, 99, size)
        for k in range(3):
            expected = probabilities @ (labellings == k)
            assert_close(marginals[rows, k], expected, np.float64, 99, size)
        assert decided[rows].tolist() == labellings[totals.argmax()].tolist()
        assert_close(best[b], totals.max(), np.float64, len(rows), size)


def test_with_rules_gradients_match_finite_differences(operations):
    plan, scores, _, parameters = problem(LENGTHS, 3)
    labels = legal_labels(plan, RULES, 3)
    weights = np.array([0.5, 2.0, 0.0, 1.5, 1.0])
    arrays = [scores, *parameters]

    def result():
        rows, *own = arrays
        return operations.crf_loss(rows, labels, plan, *ruled(own, RULES), weights)

    gradients = result()[1:]
    for array, gradient in zip(arrays, gradients, strict=True):
        for index in np.ndindex(array.shape):
            value = array[index]
            ends = []
            for step in (DIFFERENCE_STEP, -DIFFERENCE_STEP):
                array[index] = value + step
                ends.append(result().losses @ weights)
            array[index] = value
            numeric = (ends[0] - ends[1]) / (2 * DIFFERENCE_STEP)
            assert abs(gradient[index] - numeric) <= GRADIENT_TOLERANCE
    assert gradients[1][0, 1] == gradients[1][2, 2] == gradients[2][1] == gradients[3][0] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(20))
def test_no_scores_however_large_make_a_forbidden_labelling(backend, seed, dtype):
    lengths = [1, 2, 7, 30]
    plan, scores, _, parameters = problem(lengths, 3, seed, dtype, scale=10.0 ** (seed % 5 * 9))
    output = CRF(3, RULES)
    parameters = dict(zip(output.parameter_shapes(), parameters, strict=True))
    context = OutputContext(backend, plan, parameters)
    decided = output.decision(scores, context)
    marginals = output.probabilities(scores, context)
    assert np.isfinite(marginals).all()
    for b in range(plan.n_sequences):
        assert is_legal(decided[rows_of(plan, b)].tolist(), RULES)
        assert marginals[rows_of(plan, b)[0], 1] == marginals[rows_of(plan, b)[-1], 0] == 0
    assert (marginals[rows_of(plan, 3)] == [0, 0, 1]).all()


def test_output_object_with_rules(backend):
    output = CRF(3, RULES)
    assert pickle.loads(pickle.dumps(output)) == output != CRF(3)
    output.check(np.array([2, 0, 2]), np.array([1, 2]))
    with pytest.raises(ValueError, match=r"sequence 1 has the forbidden transition \(0, 1\) at"):
        output.check(np.array([2, 0, 1]), np.array([1, 2]))
    impossible = CRF(2, ((None, 0), (None, 1)))
    plan, scores, _, parameters = problem([2], 2)
    parameters = dict(zip(output.parameter_shapes(), parameters, strict=True))
    context = OutputContext(backend, plan, parameters)
    for method in (impossible.decision, impossible.probabilities):
        with pytest.raises(ValueError, match="allow no labelling of a sequence of 2 steps"):
            method(scores, context)


class TestOutputObject:
    def bound(self, backend, weights=None):
        plan, scores, labels, arrays = problem(LENGTHS, 3)
        output = CRF(3)
        parameters = dict(zip(output.parameter_shapes(), arrays, strict=True))
        gradients = {name: np.ones_like(array) for name, array in parameters.items()}
        context = OutputContext(backend, plan, parameters, gradients)
        loss, dscores = output.loss(scores, labels, weights, context)
        return output, plan, scores, labels, parameters, gradients, loss, dscores

    def test_loss_is_the_weighted_sum_and_gradients_are_added(self, backend, operations):
        weights = np.array([0.5, 2.0, 0.0, 1.5, 1.0])
        output, plan, scores, labels, parameters, gradients, loss, dscores = self.bound(
            backend, weights
        )
        expected = operations.crf_loss(scores, labels, plan, *parameters.values(), weights)
        assert_close(loss, expected.losses @ weights, np.float64, plan.n_sequences)
        assert (dscores == expected.dscores).all()
        for name, gradient in zip(output.parameter_shapes(), expected[2:], strict=True):
            assert (gradients[name] == 1 + gradient).all()

    def test_no_weights_mean_ones(self, backend):
        *_, gradients, loss, dscores = self.bound(backend)
        *_, weighted_gradients, weighted_loss, weighted_dscores = self.bound(backend, np.ones(5))
        assert loss == weighted_loss
        assert (dscores == weighted_dscores).all()
        assert all((gradients[name] == weighted_gradients[name]).all() for name in gradients)

    def test_decision_is_viterbi_and_probabilities_are_marginals(self, backend, operations):
        output, plan, scores, _, parameters, *_ = self.bound(backend)
        decided = output.decision(scores, OutputContext(backend, plan, parameters))
        assert (decided == operations.crf_viterbi(scores, plan, *parameters.values())[0]).all()
        probabilities = output.probabilities(scores, OutputContext(backend, plan, parameters))
        assert (probabilities == operations.crf_marginals(scores, plan, *parameters.values())).all()

    def test_a_fresh_field_is_a_softmax_at_each_step(self, backend):
        output, plan, scores, labels, parameters, *_ = self.bound(backend)
        output.initialize(parameters, np.random.RandomState(0))
        probabilities = output.probabilities(scores, OutputContext(backend, plan, parameters))
        assert_close(probabilities, backend.softmax(scores), np.float64, 10)
        gradients = {name: np.zeros_like(array) for name, array in parameters.items()}
        context = OutputContext(backend, plan, parameters, gradients)
        loss, _ = output.loss(scores, labels, None, context)
        expected, _ = backend.softmax_cross_entropy(scores, labels, None)
        assert_close(loss, expected, np.float64, plan.n_rows)

    def test_is_plain_data(self):
        assert pickle.loads(pickle.dumps(CRF(3))) == CRF(3) != CRF(4)
        assert CRF(3).width == 3


# Labels that are not known.


def some_unknown(labels, seed=1):
    """Return labels of which about half are not known, and all of the first sequence's."""
    labels = labels.copy()
    labels[np.random.default_rng(seed).random(len(labels)) < 0.5] = UNKNOWN
    return labels


@pytest.mark.parametrize("n_labels", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_unknown_labels_are_summed_over_as_the_enumeration_does(operations, n_labels, seed):
    plan, scores, labels, parameters = problem(LENGTHS, n_labels, seed)
    labels = some_unknown(labels, seed)
    labels[rows_of(plan, 2)] = UNKNOWN
    result = operations.crf_loss(scores, labels, plan, *parameters)
    for b in range(plan.n_sequences):
        rows = rows_of(plan, b)
        labellings, totals = enumerate_labellings(scores[rows], *parameters)
        probabilities = np.exp(totals) / np.exp(totals).sum()
        agree = ((labellings == labels[rows]) | (labels[rows] == UNKNOWN)).all(axis=1)
        expected = -np.log(probabilities[agree].sum())
        assert_close(result.losses[b], expected, np.float64, len(totals))
        of_agreeing = probabilities[agree] / probabilities[agree].sum()
        for k in range(n_labels):
            gradient = probabilities @ (labellings == k) - of_agreeing @ (labellings[agree] == k)
            assert_close(result.dscores[rows, k], gradient, np.float64, len(totals))
    assert result.losses[2] == 0
    assert not result.dscores[rows_of(plan, 2)].any()


def test_gradients_with_unknown_labels_match_finite_differences(operations):
    plan, scores, labels, parameters = problem(LENGTHS, 3)
    labels, weights = some_unknown(labels), np.array([0.5, 2.0, 0.0, 1.5, 1.0])
    arrays = [scores, *parameters]
    result = operations.crf_loss(scores, labels, plan, *parameters, weights)

    def loss():
        losses = operations.crf_loss(arrays[0], labels, plan, *arrays[1:]).losses
        return losses @ weights

    for array, gradient in zip(arrays, result[1:], strict=True):
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + DIFFERENCE_STEP
            above = loss()
            array[index] = value - DIFFERENCE_STEP
            below = loss()
            array[index] = value
            numeric = (above - below) / (2 * DIFFERENCE_STEP)
            assert abs(gradient[index] - numeric) <= GRADIENT_TOLERANCE


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_a_sequence_has_the_same_bits_whether_others_lack_labels(operations, scale):
    plan, scores, labels, parameters = problem([6, 4, 3, 1], 4, scale=scale)
    whole = operations.crf_loss(scores, labels, plan, *parameters)
    partly = labels.copy()
    partly[rows_of(plan, 1)[1:3]] = UNKNOWN
    found = operations.crf_loss(scores, partly, plan, *parameters)
    assert np.isfinite(found.dscores).all()
    for b in (0, 2, 3):
        rows = rows_of(plan, b)
        assert found.losses[b].tobytes() == whole.losses[b].tobytes()
        assert found.dscores[rows].tobytes() == whole.dscores[rows].tobytes()
    rows = rows_of(plan, 1)
    part = pack(np.array([4]))
    alone = operations.crf_loss(scores[rows], partly[rows], part, *parameters)
    assert alone.losses[0].tobytes() == found.losses[1].tobytes()
    assert alone.dscores.tobytes() == found.dscores[rows].tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_unknown_labels_and_rules_match_the_enumeration(operations, seed):
    plan, scores, labels, parameters = problem(LENGTHS, 3, seed)
    labels = some_unknown(labels, seed)
    forbidden = ((0, 1), (2, 2), (None, 1), (0, None))
    rules = rules_of(forbidden, 3)
    parameters = [p + r for p, r in zip(parameters, rules)]
    result = operations.crf_loss(scores, labels, plan, *parameters)
    flat, in_order = np.empty(plan.n_rows, int), [rows_of(plan, b) for b in range(len(LENGTHS))]
    flat[:] = np.concatenate([labels[rows] for rows in in_order])
    possible = []
    for b, rows in enumerate(in_order):
        labellings, totals = enumerate_labellings(scores[rows], *parameters)
        agree = ((labellings == labels[rows]) | (labels[rows] == UNKNOWN)).all(axis=1)
        chance = np.exp(totals)[agree].sum() / np.exp(totals).sum()
        possible.append(chance > 0)
        if chance > 0:
            assert_close(result.losses[b], -np.log(chance), np.float64, len(totals))
            assert np.isfinite(result.dscores[rows]).all()
    output = CRF(3, forbidden)
    lengths = np.array([len(rows) for rows in in_order])
    if all(possible):
        output.check(flat, lengths)
    else:
        with pytest.raises(ValueError, match="forbidden"):
            output.check(flat, lengths)
    assert not all(possible) or seed  # both kinds occur


def test_labels_that_no_allowed_labelling_joins_are_named():
    output = CRF(3, ((0, 1), (1, 2), (2, 2)))
    labels = np.array([1, 1, 0, UNKNOWN, 2, 0, UNKNOWN, 1])
    with pytest.raises(ValueError, match=r"sequence 1 has unlabelled steps .* up to step 2"):
        CRF(3, ((0, 1), (0, 0), (2, 2))).check(labels, np.array([2, 3, 3]))
    output.check(labels, np.array([2, 3, 3]))
