"""CTC against enumeration of all paths, finite differences and PyTorch."""

import itertools
import pickle

import numpy as np
import pytest
from tolerances import assert_close, tolerance

from rnnkit.backends import get_backend
from rnnkit.backends.labels import check_alignable
from rnnkit.network import OutputContext
from rnnkit.network.ctc import CTC
from rnnkit.sequences import pack

LENGTHS = [5, 4, 4, 3, 1, 2]  # in packed order once sorted: 5, 4, 4, 3, 2, 1
TARGETS = [[0, 1, 1], [1], [0, 0], [], [1, 0], [0]]
DIFFERENCE_STEP = 1e-5
GRADIENT_TOLERANCE = 1e-6  # the project's promise for finite differences in float64


@pytest.fixture(params=["reference", "cpu"])
def backend(request):
    return get_backend(request.param)


@pytest.fixture
def operations(backend):
    return backend.labels


def targets_of(lists):
    return [np.array(target, dtype=np.intp) for target in lists]


def problem(lengths, n_labels, seed=0, dtype=np.float64, scale=1.0):
    rng = np.random.default_rng(seed)
    plan = pack(np.array(lengths))
    return plan, (scale * rng.normal(size=(plan.n_rows, n_labels + 1))).astype(dtype)


def random_targets(plan, n_labels, seed=0):
    """Return targets that fit: at most half as many labels as steps."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n_labels, rng.integers(0, (n + 1) // 2 + 1)) for n in plan.lengths]


def rows_of(plan, b):
    return np.flatnonzero(plan.sequence_of_row() == b)


def probabilities_of_labellings(scores):
    """Return the probability of each labelling of one sequence, summed path by path."""
    y = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    n_steps, n_classes = y.shape
    found = {}
    for path in itertools.product(range(n_classes), repeat=n_steps):
        merged = [k for k, _ in itertools.groupby(path)]
        spelled = tuple(k for k in merged if k != n_classes - 1)
        found[spelled] = found.get(spelled, 0.0) + float(np.prod(y[range(n_steps), path]))
    return found


def test_probability_of_every_labelling_matches_the_enumeration_of_all_paths(operations):
    plan, scores = problem([4], 2)
    expected = probabilities_of_labellings(scores)
    for target, probability in expected.items():
        loss = operations.ctc_loss(scores, targets_of([target]), plan).losses[0]
        assert_close(np.exp(-loss), probability, np.float64, 3**4)
    assert len(expected) > 10


def test_ragged_losses_match_the_enumeration_of_all_paths(operations):
    plan, scores = problem(LENGTHS, 2)
    losses = operations.ctc_loss(scores, targets_of(TARGETS), plan).losses
    for b, target in enumerate(TARGETS):
        expected = probabilities_of_labellings(scores[rows_of(plan, b)])[tuple(target)]
        assert_close(losses[b], -np.log(expected), np.float64, 3**5)


@pytest.mark.parametrize("weights", [None, np.array([0.5, 2.0, 0.0, 1.5, 1.0, 3.0])])
def test_gradient_matches_finite_differences(operations, weights):
    plan, scores = problem(LENGTHS, 2)
    targets = targets_of(TARGETS)
    gradient = operations.ctc_loss(scores, targets, plan, weights).dscores
    per_sequence = np.ones(len(TARGETS)) if weights is None else weights
    for index in np.ndindex(scores.shape):
        value = scores[index]
        scores[index] = value + DIFFERENCE_STEP
        above = operations.ctc_loss(scores, targets, plan).losses @ per_sequence
        scores[index] = value - DIFFERENCE_STEP
        below = operations.ctc_loss(scores, targets, plan).losses @ per_sequence
        scores[index] = value
        numeric = (above - below) / (2 * DIFFERENCE_STEP)
        assert abs(gradient[index] - numeric) <= GRADIENT_TOLERANCE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_match_torch(operations, seed, dtype, torch_on_one_thread):
    torch = torch_on_one_thread
    n_labels = 5
    plan, scores = problem([30, 22, 22, 9, 4, 1], n_labels, seed, dtype)
    targets = random_targets(plan, n_labels, seed)
    losses, dscores = operations.ctc_loss(scores, targets, plan)

    padded = np.zeros((plan.n_steps, plan.n_sequences, n_labels + 1), dtype=dtype)
    step_of_row = np.repeat(np.arange(plan.n_steps), np.diff(plan.step_offsets))
    place = (step_of_row, plan.sequence_of_row())
    padded[place] = scores
    raw = torch.tensor(padded, requires_grad=True)
    expected = torch.nn.functional.ctc_loss(
        torch.log_softmax(raw, dim=2),
        torch.tensor(np.concatenate(targets)),
        torch.tensor(plan.lengths),
        torch.tensor([len(target) for target in targets]),
        blank=n_labels,
        reduction="none",
    )
    expected.sum().backward()
    n_terms = plan.n_steps * (n_labels + 1)
    assert_close(losses, expected.detach().numpy(), dtype, n_terms)
    scale = float(losses.max())  # the gradient holds exp of differences of such numbers
    assert_close(dscores, raw.grad.numpy()[place], dtype, n_terms, scale=scale)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_labels", [1, 2, 9, 27])
def test_a_sequence_has_the_same_bits_alone_and_in_any_batch(operations, n_labels, dtype):
    plan, scores = problem([7, 1, 12, 12, 3, 9, 1, 2, 5], n_labels, dtype=dtype)
    targets = random_targets(plan, n_labels)
    targets = [target[: 1 if n_labels == 1 else None] for target in targets]
    weights = np.linspace(0.1, 2.0, plan.n_sequences)
    whole = operations.ctc_loss(scores, targets, plan, weights)
    greedy, greedy_log = operations.ctc_greedy(scores, plan)
    beam, beam_log = operations.ctc_beam(scores, plan, 4)
    batches = [[b] for b in range(plan.n_sequences)] + [[0, 2, 5], [1, 3, 4, 6, 7, 8]]
    for members in batches:
        part = pack(plan.lengths[members])
        taken = np.empty(part.n_rows, dtype=np.intp)
        for place, b in enumerate(members):
            taken[rows_of(part, place)] = rows_of(plan, b)
        result = operations.ctc_loss(
            scores[taken], [targets[b] for b in members], part, weights[members]
        )
        assert result.losses.tobytes() == whole.losses[members].tobytes()
        assert result.dscores.tobytes() == whole.dscores[taken].tobytes()
        for decoded, (labels, log_probabilities) in (
            (operations.ctc_greedy(scores[taken], part), (greedy, greedy_log)),
            (operations.ctc_beam(scores[taken], part, 4), (beam, beam_log)),
        ):
            assert [x.tolist() for x in decoded[0]] == [labels[b].tolist() for b in members]
            assert decoded[1].tobytes() == log_probabilities[members].tobytes()


def test_a_full_beam_finds_the_most_probable_labels(operations):
    plan, scores = problem([4, 3, 4, 1, 2], 2, seed=3)
    labels, log_probabilities = operations.ctc_beam(scores, plan, beam_width=31)
    for b in range(plan.n_sequences):
        expected = probabilities_of_labellings(scores[rows_of(plan, b)])
        best = max(expected, key=expected.get)
        assert tuple(labels[b].tolist()) == best
        assert_close(np.exp(log_probabilities[b]), expected[best], np.float64, 3**4)


@pytest.mark.parametrize("beam_width", [1, 2, 5, 20])
def test_a_beam_never_claims_more_than_the_labels_probability(operations, beam_width):
    plan, scores = problem([25, 14, 14, 6], 4, seed=1)
    labels, log_probabilities = operations.ctc_beam(scores, plan, beam_width)
    losses = operations.ctc_loss(scores, labels, plan).losses
    assert (log_probabilities <= -losses + tolerance(np.float64, 25 * 4) * losses).all()
    if beam_width == 20:
        _, greedy_log = operations.ctc_greedy(scores, plan)
        assert (log_probabilities > greedy_log).all()


def test_a_beam_sums_paths_where_the_best_path_misleads(operations):
    # The best single path is blank blank (.36); label 0 has .4 * .6 * 2 + .4 * .4 = .64.
    plan = pack(np.array([2]))
    scores = np.log([[0.4, 0.6], [0.4, 0.6]])
    greedy, greedy_log = operations.ctc_greedy(scores, plan)
    beam, beam_log = operations.ctc_beam(scores, plan)
    assert greedy[0].tolist() == []
    assert beam[0].tolist() == [0]
    assert_close(np.exp(greedy_log), [0.36], np.float64, 4)
    assert_close(np.exp(beam_log), [0.64], np.float64, 4)


def test_greedy_merges_repeats_and_drops_blanks(operations):
    paths = [[0, 0, 2, 0, 1, 1, 2], [2, 2, 2], [1, 1]]
    plan = pack(np.array([7, 3, 2]))
    scores = np.zeros((plan.n_rows, 3))
    for b, path in enumerate(paths):
        scores[rows_of(plan, b), path] = 5.0
    labels, log_probabilities = operations.ctc_greedy(scores, plan)
    assert [x.tolist() for x in labels] == [[0, 0, 1], [], [1]]
    each = 5.0 - np.log(np.exp(5.0) + 2)
    assert_close(log_probabilities, [7 * each, 3 * each, 2 * each], np.float64, 7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_stay_finite(operations, dtype):
    plan, scores = problem([12, 7, 1], 3, dtype=dtype, scale=1e4)
    losses, dscores = operations.ctc_loss(scores, random_targets(plan, 3), plan)
    assert np.isfinite(losses).all()
    assert (losses >= 0).all()
    assert np.isfinite(dscores).all()
    for decode in (operations.ctc_greedy, operations.ctc_beam):
        _, log_probabilities = decode(scores, plan)
        assert np.isfinite(log_probabilities).all()


def test_dtype_follows_the_scores_and_loss_is_computed_in_float64(operations):
    plan, scores = problem(LENGTHS, 2, dtype=np.float32)
    single = operations.ctc_loss(scores, targets_of(TARGETS), plan)
    double = operations.ctc_loss(scores.astype(float), targets_of(TARGETS), plan)
    assert single.dscores.dtype == np.float32
    assert single.losses.tolist() == double.losses.tolist()


def test_long_sequences_stay_accurate(operations):
    plan, scores = problem([2000], 5)
    target = np.tile(np.arange(5), 60)
    losses, dscores = operations.ctc_loss(scores, [target], plan)
    assert np.isfinite(losses).all()
    # The posterior and the softmax both sum to one at each step.
    assert_close(dscores.sum(axis=1), np.zeros(2000), np.float64, 2000, scale=float(losses[0]))


@pytest.mark.parametrize(
    "lengths, targets, message",
    [
        ([3, 2], [[0, 1], [0, 1, 0]], "sequence 1 has 2 steps but its 3 labels need at least 3"),
        ([2, 2], [[0, 0], [1]], "sequence 0 has 2 steps but its 2 labels need at least 3"),
        ([1, 0], [[], [1]], "sequence 1 has 0 steps but its 1 labels need at least 1"),
    ],
)
def test_a_target_that_does_not_fit_is_named(operations, lengths, targets, message):
    with pytest.raises(ValueError, match=message):
        check_alignable(np.array(lengths), targets_of(targets))
    plan, scores = problem(lengths, 2)
    with pytest.raises(ValueError, match=message):
        operations.ctc_loss(scores, targets_of(targets), plan)


def test_targets_that_just_fit_are_accepted():
    check_alignable(np.array([3, 3, 0]), targets_of([[0, 0], [0, 1, 0], []]))


@pytest.mark.parametrize("label", [-1, 2, 7])
def test_a_label_out_of_range_is_refused(operations, label):
    plan, scores = problem([3], 2)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\)"):
        operations.ctc_loss(scores, targets_of([[label]]), plan)


def test_beam_width_must_be_positive(operations):
    plan, scores = problem([3], 2)
    with pytest.raises(ValueError, match="beam_width must be at least 1, got 0"):
        operations.ctc_beam(scores, plan, 0)


def test_empty_sequences_and_empty_targets(operations):
    plan, scores = problem([2, 0], 2)
    losses, _ = operations.ctc_loss(scores, targets_of([[], []]), plan)
    y = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert_close(losses, [-np.log(y[:, 2]).sum(), 0.0], np.float64, 3)
    for decode in (operations.ctc_greedy, operations.ctc_beam):
        labels, log_probabilities = decode(scores, plan)
        assert labels[1].tolist() == []
        assert log_probabilities[1] == 0.0


class TestOutputObject:
    def test_loss_is_the_weighted_sum(self, backend, operations):
        plan, scores = problem(LENGTHS, 2)
        targets = np.empty(len(TARGETS), dtype=object)
        for b, target in enumerate(targets_of(TARGETS)):
            targets[b] = target
        weights = np.array([0.5, 2.0, 0.0, 1.5, 1.0, 3.0])
        context = OutputContext(backend, plan)
        loss, dscores = CTC(2).loss(scores, targets, weights, context)
        expected = operations.ctc_loss(scores, targets, plan, weights)
        assert_close(loss, expected.losses @ weights, np.float64, len(weights))
        assert (dscores == expected.dscores).all()
        unweighted, _ = CTC(2).loss(scores, targets, None, context)
        assert_close(unweighted, expected.losses.sum(), np.float64, len(weights))

    def test_decision_decodes_greedily_or_by_beam(self, backend):
        plan, scores = problem([2, 2], 1)
        scores[:] = np.log([0.4, 0.6])
        greedy = CTC(1).decision(scores, OutputContext(backend, plan))
        beam = CTC(1, beam_width=5).decision(scores, OutputContext(backend, plan))
        assert greedy.shape == beam.shape == (2,)
        assert [x.tolist() for x in greedy] == [[], []]
        assert [x.tolist() for x in beam] == [[0], [0]]

    def test_probabilities_are_the_softmax_with_the_blank_last(self, backend):
        plan, scores = problem([3, 1], 2)
        probabilities = CTC(2).probabilities(scores, OutputContext(backend, plan))
        assert (probabilities == backend.softmax(scores)).all()

    def test_is_plain_data(self):
        assert pickle.loads(pickle.dumps(CTC(3))) == CTC(3) != CTC(3, beam_width=4)
        assert CTC(3).width == 4
        assert CTC(3).parameter_shapes() == {}
