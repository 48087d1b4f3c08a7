"""CRF and CTC of the core: the reference's numbers, and a sequence's bits whatever is beside it."""

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.backends.labels import UNKNOWN
from rnnkit.sequences import pack

REFERENCE, CORE = get_backend("reference").labels, get_backend("cpu").labels
LENGTHS = [37, 37, 20, 12, 9, 5, 5, 2, 1, 1, 0]


def crf_problem(n_labels, dtype=np.float64, scale=1.0, unknown=0.0, forbidden=0.0, seed=0):
    """Return scores, labels, plan, the three parameters and weights."""
    rng = np.random.default_rng(seed)
    plan = pack(np.array(LENGTHS))
    scores = (scale * rng.normal(size=(plan.n_rows, n_labels))).astype(dtype)
    labels = rng.integers(0, n_labels, plan.n_rows)
    labels[rng.random(len(labels)) < unknown] = UNKNOWN
    shapes = [(n_labels, n_labels), (n_labels,), (n_labels,)]
    parameters = [scale * rng.normal(size=shape) for shape in shapes]
    parameters[0][rng.random((n_labels, n_labels)) < forbidden] = -np.inf
    np.fill_diagonal(parameters[0], 0.5)
    return scores, labels, plan, *parameters, rng.uniform(0, 2, len(LENGTHS))


def ctc_problem(n_labels, dtype=np.float64, scale=1.0, seed=0):
    """Return scores (P, K + 1), targets that fit, plan and weights."""
    rng = np.random.default_rng(seed)
    plan = pack(np.array(LENGTHS))
    scores = (scale * rng.normal(size=(plan.n_rows, n_labels + 1))).astype(dtype)
    targets = [rng.integers(0, n_labels, rng.integers(0, t // 2 + 1)) for t in plan.lengths]
    return scores, targets, plan, rng.uniform(0, 2, len(LENGTHS))


def bytes_of(results):
    return [np.asarray(part).tobytes() for part in results]


def close(found, expected, scale=1.0):
    """Whether arrays agree to 1e-12 of the largest number that was computed with."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * max(1.0, scale))


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 300.0, 1e4])
@pytest.mark.parametrize("n_labels", [1, 2, 7, 8, 9, 17, 33])
@pytest.mark.parametrize("unknown, forbidden", [(0, 0), (0.3, 0), (0, 0.4), (0.3, 0.4), (1, 0)])
def test_crf_has_the_numbers_of_the_reference(n_labels, scale, unknown, forbidden):
    scores, labels, plan, *parameters, weights = crf_problem(
        n_labels, scale=scale, unknown=unknown, forbidden=forbidden
    )
    field = (plan, *parameters)
    for given in (None, weights):
        expected = REFERENCE.crf_loss(scores, labels, *field, given)
        found = CORE.crf_loss(scores, labels, *field, given)
        finite = np.isfinite(expected.losses)
        close(found.losses[finite], expected.losses[finite], 37 * scale)
        assert (found.losses[~finite] == np.inf).all()
        for ours, theirs in zip(found[1:], expected[1:]):
            close(ours, theirs, scale)
    close(CORE.crf_marginals(scores, *field), REFERENCE.crf_marginals(scores, *field), scale)
    ours, theirs = CORE.crf_viterbi(scores, *field), REFERENCE.crf_viterbi(scores, *field)
    assert (ours[0] == theirs[0]).all()
    assert (ours[1] == theirs[1]).all()


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("n_labels", [1, 2, 7, 8, 30, 64])
def test_ctc_has_the_numbers_of_the_reference(n_labels, scale):
    scores, targets, plan, weights = ctc_problem(n_labels, scale=scale)
    for given in (None, weights):
        found = CORE.ctc_loss(scores, targets, plan, given)
        expected = REFERENCE.ctc_loss(scores, targets, plan, given)
        close(found.losses, expected.losses, 37 * scale)
        close(found.dscores, expected.dscores, scale)
    for name, options in (("ctc_greedy", ()), ("ctc_beam", (1,)), ("ctc_beam", (5,))):
        labels, logs = getattr(CORE, name)(scores, plan, *options)
        wanted, wanted_logs = getattr(REFERENCE, name)(scores, plan, *options)
        if scale:  # else all is a tie
            assert [one.tolist() for one in labels] == [one.tolist() for one in wanted]
        close(logs, wanted_logs, 37 * scale)
        assert all(one.dtype == np.intp for one in labels)


@pytest.mark.parametrize("width", [2, 3, 8, 9, 40, 500])
@pytest.mark.parametrize("seed", range(6))
def test_the_beam_keeps_the_prefixes_of_the_reference(width, seed):
    scores, _, plan, _ = ctc_problem(3, scale=2.0, seed=seed)
    labels, logs = CORE.ctc_beam(scores, plan, width)
    wanted, wanted_logs = REFERENCE.ctc_beam(scores, plan, width)
    assert [one.tolist() for one in labels] == [one.tolist() for one in wanted]
    close(logs, wanted_logs)


def everything(dtype):
    """Return what all operations answer, as bytes."""
    scores, labels, plan, *parameters, weights = crf_problem(11, dtype, 3.0, 0.2, 0.3)
    found = [
        *CORE.crf_loss(scores, labels, plan, *parameters, weights),
        CORE.crf_marginals(scores, plan, *parameters),
        *CORE.crf_viterbi(scores, plan, *parameters),
    ]
    scores, targets, plan, weights = ctc_problem(19, dtype, 3.0)
    found += CORE.ctc_loss(scores, targets, plan, weights)
    for labels, logs in (CORE.ctc_greedy(scores, plan), CORE.ctc_beam(scores, plan, 6)):
        found += [*labels, logs]
    return bytes_of(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_depend_neither_on_threads_nor_on_the_instruction_set(dtype):
    expected = everything(dtype)
    for n_threads in (1, 2, 3, 7):
        for isa in isa_available():
            with using_isa(isa), using_threads(n_threads):
                assert everything(dtype) == expected, (isa, n_threads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ctc_of_a_sequence_has_the_same_bits_alone_and_in_any_batch(dtype):
    scores, targets, plan, weights = ctc_problem(9, dtype)
    whole = CORE.ctc_loss(scores, targets, plan, weights)
    beams, logs = CORE.ctc_beam(scores, plan, 4)
    row_of = plan.sequence_of_row()
    for b in range(plan.n_sequences):
        rows = np.flatnonzero(row_of == b)
        alone = CORE.ctc_loss(
            scores[rows], targets[b : b + 1], pack(plan.lengths[b : b + 1]), weights[b : b + 1]
        )
        assert alone.losses[0] == whole.losses[b]
        assert alone.dscores.tobytes() == whole.dscores[rows].tobytes()
        labels, log = CORE.ctc_beam(scores[rows], pack(plan.lengths[b : b + 1]), 4)
        assert (labels[0].tolist(), log[0]) == (beams[b].tolist(), logs[b])


def test_float32_is_computed_in_float64_and_rounded_once():
    scores, labels, plan, *parameters, weights = crf_problem(5, np.float32)
    single = CORE.crf_loss(scores, labels, plan, *parameters, weights)
    double = CORE.crf_loss(scores.astype(float), labels, plan, *parameters, weights)
    assert single.dscores.dtype == np.float32
    assert_close(single.dscores, double.dscores.astype(np.float32), np.float32, 1)
    assert single.losses.tobytes() == double.losses.tobytes()


@pytest.mark.parametrize("n_labels", [3, 12])
def test_labels_that_only_a_vanishing_term_leads_to_keep_their_digits(n_labels):
    """The best prefix forbids a label that others, e^-800 times less likely, lead to."""
    plan = pack(np.array([6, 3]))
    scores = np.zeros((plan.n_rows, n_labels))
    scores[:, 0] = 800.0
    transitions = np.zeros((n_labels, n_labels))
    transitions[0, 1:] = -np.inf
    transitions[2, 1] = -750.0
    end = np.full(n_labels, -np.inf)
    end[1] = 0.0
    arguments = (plan, transitions, np.zeros(n_labels), end)
    labels = np.full(plan.n_rows, UNKNOWN)
    labels[plan.n_rows - 1] = 2
    expected = REFERENCE.crf_loss(scores, labels, *arguments)
    found = CORE.crf_loss(scores, labels, *arguments)
    for ours, theirs in zip(found, expected):
        close(ours, theirs, 800.0)
    marginals = CORE.crf_marginals(scores, *arguments)
    close(marginals, REFERENCE.crf_marginals(scores, *arguments))


@pytest.mark.parametrize("name", ["crf_loss", "crf_marginals", "crf_viterbi", "ctc_loss"])
def test_what_is_not_a_number_does_not_harm(name):
    scores, labels, plan, *parameters, _ = crf_problem(4)
    scores[3] = np.nan
    scores[9] = np.inf
    scores[20] = -np.inf
    if name == "ctc_loss":
        getattr(CORE, name)(scores, [np.array([1])] * 10 + [np.empty(0, int)], plan)
    elif name == "crf_loss":
        assert np.isnan(CORE.crf_loss(scores, labels, plan, *parameters).dscores).any()
    else:
        getattr(CORE, name)(scores, plan, *parameters)
    for width in (1, 7):
        CORE.ctc_beam(scores, plan, width)
    CORE.ctc_greedy(scores, plan)


class Plan:
    def __init__(self, lengths, step_offsets):
        self.lengths = np.array(lengths, np.intp)
        self.step_offsets = np.array(step_offsets, np.intp)


FIELD = (np.zeros((2, 2)), np.zeros(2), np.zeros(2))
ROWS = pack(np.array([2, 1]))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: CORE.crf_viterbi(np.zeros((3, 2)), Plan([2, 1], [0, 2, 9]), *FIELD), "grow"),
        (lambda: CORE.crf_viterbi(np.zeros((4, 2)), ROWS, *FIELD), "scores must have shape"),
        (lambda: CORE.crf_viterbi(np.zeros((3, 0)), ROWS, *FIELD), "K at least 1"),
        (lambda: CORE.crf_viterbi(np.zeros((3, 3)), ROWS, *FIELD), "transitions must have shape"),
        (lambda: CORE.crf_loss(np.zeros((3, 2)), np.array([0, 1, 2]), ROWS, *FIELD), "got 2"),
        (lambda: CORE.crf_loss(np.zeros((3, 2)), np.array([0, 1, -2]), ROWS, *FIELD), "got -2"),
        (lambda: CORE.crf_loss(np.zeros((3, 2)), np.zeros(2, int), ROWS, *FIELD), "labels must"),
        (
            lambda: CORE.crf_loss(np.zeros((3, 2)), np.zeros(3, int), ROWS, *FIELD, np.ones(3)),
            "weights must have shape",
        ),
        (lambda: CORE.ctc_loss(np.zeros((3, 2)), [np.array([1]), np.array([0])], ROWS), "got 1"),
        (lambda: CORE.ctc_loss(np.zeros((3, 2)), [np.array([-1]), np.array([0])], ROWS), "got -1"),
        (lambda: CORE.ctc_loss(np.zeros((3, 2)), [np.array([0])], ROWS), "2 arrays"),
        (lambda: CORE.ctc_loss(np.zeros((3, 2)), [np.array([0, 0])] * 2, ROWS), "sequence 0 has 2"),
        (lambda: CORE.ctc_beam(np.zeros((3, 2)), ROWS, 0), "at least 1, got 0"),
    ],
)
def test_what_would_be_read_out_of_bounds_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_beam_too_wide_for_any_memory_is_refused():
    with pytest.raises(MemoryError):
        CORE.ctc_beam(np.zeros((3, 2)), ROWS, 2**60)
    with pytest.raises(TypeError, match="scores must be an array of float32 or float64"):
        CORE.ctc_greedy(np.zeros((3, 2), int), ROWS)
