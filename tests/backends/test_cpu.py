"""The compiled core against the reference, by value and for every instruction set, and its bits."""

import dataclasses
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from backends.recurrent_problem import CASES, OPTIONS, Problem, make_problem, run_both, run_forward
from tolerances import assert_close, tolerance

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.sequences import pack

CPU = get_backend("cpu")
REFERENCE = get_backend("reference")
CELLS = ("rnn", "lstm", "gru")
DTYPES = (np.float32, np.float64)
HIDDEN_SIZES = (1, 3, 7, 8, 9, 16, 17, 33)
N_INPUTS = 5
LENGTHS = {"ragged": (6, 5, 5, 3, 3, 1, 0), "equal": (4,) * 5}
MANY = tuple(sorted((k % 9 for k in range(75)), reverse=True))  # several tiles of sequences

every_isa = pytest.mark.parametrize("isa", isa_available())
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
every_cell = pytest.mark.parametrize("cell", CELLS)
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


@cache
def draw(dtype, cell, option, lengths, hidden_size, reverse, n_inputs=N_INPUTS):
    """Return a problem whose numbers are exact in the dtype."""
    return make_problem(cell, option, lengths, n_inputs, hidden_size, reverse).astype(dtype)


@cache
def expected_of(*key, **presence):
    """Return the outputs and gradients that the reference finds in float64."""
    return run_both(REFERENCE, draw(*key).astype(np.float64), **dict(presence))


def assert_equal_to_reference(isa, *key, **presence):
    problem = draw(*key)
    with using_isa(isa):
        found = run_both(CPU, problem, **presence)
    accumulations = problem.plan.n_rows * sum(problem.weights["weight_ih"].shape)
    for got, want in zip(found, expected_of(*key, **presence)):
        assert set(got) == set(want)
        for name in want:
            assert got[name].dtype == problem.x.dtype, name
            assert_close(got[name], want[name], problem.x.dtype, accumulations)


def assert_same_bits(found, expected):
    for got, want in zip(found, expected):
        assert set(got) == set(want)
        for name in want:
            np.testing.assert_array_equal(got[name], want[name], err_msg=name)


@every_isa
@every_dtype
@pytest.mark.parametrize("hidden_size", HIDDEN_SIZES)
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@both_directions
@every_cell
def test_every_size(cell, reverse, lengths, hidden_size, dtype, isa):
    assert_equal_to_reference(isa, dtype, cell, "plain", lengths, hidden_size, reverse)


@every_isa
@every_dtype
@both_directions
@pytest.mark.parametrize("cell, option", CASES)
def test_every_option(cell, option, reverse, dtype, isa):
    assert_equal_to_reference(isa, dtype, cell, option, LENGTHS["ragged"], 9, reverse)


@every_isa
@pytest.mark.parametrize("hidden_size", [16, 33])
@pytest.mark.parametrize("cell", CELLS)
def test_every_option_together_at_other_sizes(cell, hidden_size, isa):
    assert_equal_to_reference(isa, np.float64, cell, "all", MANY, hidden_size, True)


@every_isa
@every_dtype
@pytest.mark.parametrize("option", ["plain", "before"])
@pytest.mark.parametrize("n_inputs, hidden_size", [(1, 130), (70, 20), (3, 64)])
@every_cell
def test_wide_layers_and_many_sequences(cell, n_inputs, hidden_size, option, dtype, isa):
    if option not in OPTIONS[cell]:
        option = "all"
    assert_equal_to_reference(isa, dtype, cell, option, MANY, hidden_size, False, n_inputs)


@every_isa
@every_dtype
@pytest.mark.parametrize("dy", [True, False])
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("cell, option", [(c, o) for c in CELLS for o in ("plain", "masks")])
def test_absent_states_and_gradients(cell, option, starts, ends, dy, dtype, isa):
    assert_equal_to_reference(
        *(isa, dtype, cell, option, LENGTHS["ragged"], 9, False), starts=starts, ends=ends, dy=dy
    )


@every_isa
@pytest.mark.parametrize("lengths", [(0, 0, 0), (1,), (0,)], ids=str)
@both_directions
@every_cell
def test_hardly_any_step(cell, reverse, lengths, isa):
    assert_equal_to_reference(isa, np.float64, cell, "plain", lengths, 9, reverse)


@every_isa
@every_dtype
@both_directions
@pytest.mark.parametrize("cell, option", CASES)
def test_inference_is_the_reference(cell, option, reverse, dtype, isa):
    problem = draw(dtype, cell, option, LENGTHS["ragged"], 9, reverse)
    with using_isa(isa):
        _, found = run_forward(CPU, problem, training=False)
    _, expected = run_forward(REFERENCE, problem.astype(np.float64), training=False)
    for name, want in expected.items():
        assert_close(found[name], want, dtype, accumulations=6 * (N_INPUTS + 9))


@every_isa
@every_dtype
@every_cell
def test_inference_has_the_bits_of_training(cell, dtype, isa):
    problem = draw(dtype, cell, "plain", LENGTHS["ragged"], 17, False)
    with using_isa(isa):
        _, trained = run_forward(CPU, problem, training=True)
        _, inferred = run_forward(CPU, problem, training=False)
    assert_same_bits([inferred], [trained])


@every_isa
@every_dtype
@pytest.mark.parametrize("cell, option", CASES)
def test_gates(cell, option, dtype, isa):
    problem = draw(dtype, cell, option, LENGTHS["ragged"], 9, True)
    with using_isa(isa):
        operation, _ = run_forward(CPU, problem)
        found = {gate: np.array(operation.gate(gate)) for gate in problem.spec.gates}
    reference, _ = run_forward(REFERENCE, problem.astype(np.float64))
    for gate, activations in found.items():
        assert_close(activations, reference.gate(gate), dtype, accumulations=6 * (N_INPUTS + 9))


@every_isa
@every_dtype
@both_directions
@pytest.mark.parametrize("option", ["plain", "all"])
@every_cell
def test_bits_do_not_depend_on_the_number_of_threads(cell, option, reverse, dtype, isa):
    problem = draw(dtype, cell, option, MANY, 17, reverse)
    results = {}
    with using_isa(isa):
        for n_threads in (1, 2, 4):
            with using_threads(n_threads):
                results[n_threads] = run_both(CPU, problem)
    assert_same_bits(results[2], results[1])
    assert_same_bits(results[4], results[1])


@every_isa
@every_dtype
@both_directions
@every_cell
@pytest.mark.parametrize("lengths", [(9,), (6, 4, 1, 0)], ids=str)
def test_threads_that_share_the_hidden_units_leave_the_bits(cell, lengths, reverse, dtype, isa):
    """A wide layer over few sequences is cut by hidden units, and the threads meet each step."""
    problem = draw(dtype, cell, "plain", lengths, 230, reverse)
    with using_isa(isa):
        with using_threads(1):
            expected = run_both(CPU, problem)
        for threads in (2, 3):
            with using_threads(threads):
                assert_same_bits(run_both(CPU, problem), expected)


def alone(problem, b):
    """Return sequence b of a problem as a problem of its own."""
    plan = problem.plan
    rows = plan.step_offsets[: plan.lengths[b]] + b
    masks = {}
    if problem.masks:
        masks["recurrent_mask"] = problem.masks["recurrent_mask"][b : b + 1]
        masks["zoneout_masks"] = tuple(
            None if mask is None else mask[rows] for mask in problem.masks["zoneout_masks"]
        )
    starts, ends = (
        {name: state[b : b + 1] for name, state in states.items()}
        for states in (problem.starts, problem.ends)
    )
    single = pack(plan.lengths[b : b + 1])
    return Problem(
        problem.spec,
        single,
        problem.x[rows],
        problem.weights,
        starts,
        ends,
        problem.dy[rows],
        masks,
    )


@every_isa
@every_dtype
@both_directions
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("option", ["plain", "all"])
@every_cell
def test_bits_of_a_sequence_do_not_depend_on_its_batch(cell, option, training, reverse, dtype, isa):
    problem = draw(dtype, cell, option, MANY, 17, reverse)
    plan = problem.plan
    with using_isa(isa):
        _, batch = run_forward(CPU, problem, training=training)
        for b in (0, 1, 6, 40, 65, 74):
            _, single = run_forward(CPU, alone(problem, b), training=training)
            rows = plan.step_offsets[: plan.lengths[b]] + b
            np.testing.assert_array_equal(single["y"], batch["y"][rows])
            for name in set(batch) - {"y"}:
                np.testing.assert_array_equal(single[name][0], batch[name][b])


@every_isa
@every_cell
def test_an_operation_serves_minibatches_of_any_shape(cell, isa):
    shapes = [LENGTHS["ragged"], MANY, (0, 0), (2,), LENGTHS["ragged"]]
    with using_isa(isa):
        operation = CPU.recurrent(draw(np.float32, cell, "plain", (1,), 9, False).spec, np.float32)
        for lengths in shapes:
            problem = draw(np.float32, cell, "plain", lengths, 9, False)
            fresh = run_both(CPU, problem)
            y, h_n, c_n = operation.forward(
                problem.plan, problem.x, problem.weights, **problem.starts, training=True
            )
            outputs = {"y": y, "h_n": h_n, "c_n": c_n}
            found = {name: np.array(a) for name, a in outputs.items() if a is not None}
            dweights = {name: np.zeros_like(weight) for name, weight in problem.weights.items()}
            dx, dh0, dc0 = operation.backward(problem.dy, dweights, **problem.ends)
            gradients = {"x": dx, "h0": dh0, "c0": dc0}
            gradients = {name: a for name, a in gradients.items() if a is not None}
            assert_same_bits((found, {**gradients, **dweights}), fresh)


@every_isa
@every_cell
def test_parameter_gradients_are_added_and_dx_left_out_on_request(cell, isa):
    problem = draw(np.float64, cell, "plain", LENGTHS["ragged"], 9, False)
    with using_isa(isa):
        _, gradients = run_both(CPU, problem)
        operation, _ = run_forward(CPU, problem)
        total = {name: np.ones_like(weight) for name, weight in problem.weights.items()}
        dx, dh0, _ = operation.backward(problem.dy, total, **problem.ends, input_gradient=False)
    assert dx is None
    np.testing.assert_array_equal(dh0, gradients["h0"])
    for name, gradient in total.items():
        assert_close(gradient, 1 + gradients[name], np.float64)


@every_cell
def test_arguments_are_not_written_to(cell):
    problem = draw(np.float64, cell, "all", LENGTHS["ragged"], 9, False)
    copy = make_problem(cell, "all", LENGTHS["ragged"], N_INPUTS, 9)
    run_both(CPU, problem)
    for got, want in zip(dataclasses.astuple(problem)[2:7], dataclasses.astuple(copy)[2:7]):
        for name in want if isinstance(want, dict) else [...]:
            np.testing.assert_array_equal(got[name], want[name])


@every_cell
def test_backward_needs_a_training_forward(cell):
    problem = draw(np.float64, cell, "plain", (2, 1), 9, False)
    gradients = {name: np.zeros_like(weight) for name, weight in problem.weights.items()}
    operation, _ = run_forward(CPU, problem, training=False)
    with pytest.raises(RuntimeError, match="training=True"):
        operation.backward(problem.dy, gradients)


def test_denormal_numbers_survive_in_the_caller():
    tiny = np.full(3, 1e-40, dtype=np.float32)
    for cell in CELLS:
        run_both(CPU, draw(np.float32, cell, "plain", MANY, 17, False))
        assert (tiny * np.float32(0.5) > 0).all()


# Dense products, losses and updates.


def draw_dense(dtype, n_rows=70, n_inputs=11, n_outputs=7):
    rng = np.random.RandomState(0)
    shapes = [(n_rows, n_inputs), (n_outputs, n_inputs), (n_outputs,), (n_rows, n_outputs)]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@every_isa
@every_dtype
@pytest.mark.parametrize(
    "n_rows, n_inputs, n_outputs", [(0, 3, 2), (1, 1, 1), (70, 11, 7)] + [(300, 65, 33)]
)
def test_dense(n_rows, n_inputs, n_outputs, dtype, isa):
    x, weight, bias, dy = draw_dense(dtype, n_rows, n_inputs, n_outputs)
    wide = [a.astype(np.float64) for a in (x, weight, bias, dy)]
    with using_isa(isa):
        dense = CPU.dense(n_inputs, n_outputs, np.dtype(dtype))
        y = np.array(dense.forward(x, weight, bias))
        dweight, dbias = np.ones_like(weight), np.ones_like(bias)
        dx = dense.backward(x, dy, weight, dweight, dbias)
        absent = dense.backward(
            x, dy, weight, np.zeros_like(weight), np.zeros_like(bias), input_gradient=False
        )
    assert absent is None
    assert y.dtype == dx.dtype == dtype
    assert_close(y, wide[0] @ wide[1].T + wide[2], dtype, n_inputs)
    assert_close(dx, wide[3] @ wide[1], dtype, n_outputs)
    assert_close(dweight, 1 + wide[3].T @ wide[0], dtype, n_rows)
    assert_close(dbias, 1 + wide[3].sum(axis=0), dtype, n_rows)


@every_isa
@every_dtype
def test_dense_bits_depend_on_neither_threads_nor_batch(dtype, isa):
    x, weight, bias, dy = draw_dense(dtype, n_rows=300)
    results = []
    with using_isa(isa):
        for n_threads in (1, 2, 4):
            with using_threads(n_threads):
                dense = CPU.dense(11, 7, np.dtype(dtype))
                y = np.array(dense.forward(x, weight, bias))
                dweight, dbias = np.zeros_like(weight), np.zeros_like(bias)
                dx = np.array(dense.backward(x, dy, weight, dweight, dbias))
                results.append([{"y": y, "dx": dx, "dweight": dweight, "dbias": dbias}])
        for row in (0, 5, 63, 64, 299):
            single = dense.forward(x[row : row + 1], weight, bias)
            np.testing.assert_array_equal(single[0], results[0][0]["y"][row])
    assert_same_bits(results[1], results[0])
    assert_same_bits(results[2], results[0])


@every_dtype
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 5, 40])
def test_cross_entropy_and_softmax(n_classes, weighted, label_smoothing, dtype):
    rng = np.random.RandomState(0)
    scores = (4 * rng.normal(size=(90, n_classes))).astype(dtype)
    scores[0] *= 1000
    labels = rng.randint(n_classes, size=90)
    weights = rng.uniform(size=90).astype(dtype) if weighted else None
    wide_weights = None if weights is None else weights.astype(np.float64)
    wide = scores.astype(np.float64)
    loss, dscores = CPU.softmax_cross_entropy(scores, labels, weights, label_smoothing)
    want, dwant = REFERENCE.softmax_cross_entropy(wide, labels, wide_weights, label_smoothing)
    assert isinstance(loss, float)
    assert dscores.dtype == dtype
    assert abs(loss - want) <= tolerance(dtype, 90 * n_classes) * abs(want)
    assert_close(dscores, dwant, dtype, n_classes)
    assert_close(CPU.softmax(scores), REFERENCE.softmax(wide), dtype, n_classes)


@every_dtype
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_clip_norm(size, dtype):
    gradient = (np.random.RandomState(0).normal(size=1001) * size).astype(dtype)
    kept = gradient.copy()
    norm = float(np.linalg.norm(gradient.astype(np.float64) / size))
    found = CPU.clip_norm(gradient, 2 * norm * size)
    assert_close(found / size, norm, dtype, 1001)
    np.testing.assert_array_equal(gradient, kept)
    CPU.clip_norm(gradient, size)
    assert_close(gradient / size, kept.astype(np.float64) / size / norm, dtype, 1001)


def test_clip_norm_of_numbers_whose_squares_overflow():
    gradient = np.array([3e300, 0.0, -4e300])
    assert_close(CPU.clip_norm(gradient, np.inf) / 1e300, 5.0, np.float64)
    assert_close(CPU.clip_norm(gradient, 2.0) / 1e300, 5.0, np.float64)
    assert_close(gradient, np.array([1.2, 0.0, -1.6]), np.float64)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_clip_norm_leaves_a_gradient_that_is_not_finite(wrong):
    gradient = np.array([1.0, wrong, 2.0])
    assert not np.isfinite(CPU.clip_norm(gradient, 1.0))
    np.testing.assert_array_equal(gradient, [1.0, wrong, 2.0])


RULES = [
    ("sgd", ("velocity",), dict(momentum=0.0, nesterov=False)),
    ("sgd", ("velocity",), dict(momentum=0.9, nesterov=False)),
    ("sgd", ("velocity",), dict(momentum=0.9, nesterov=True)),
    ("rmsprop", ("square", "velocity"), dict(decay=0.9, epsilon=1e-3, momentum=0.0)),
    ("rmsprop", ("square", "velocity"), dict(decay=0.9, epsilon=1e-3, momentum=0.8)),
    ("adagrad", ("square",), dict(epsilon=1e-3)),
    ("adadelta", ("square", "change"), dict(decay=0.9, epsilon=1e-3)),
    ("adam", ("mean", "square"), dict(beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.0)),
    ("adam", ("mean", "square"), dict(beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=0.1)),
]


@every_dtype
@pytest.mark.parametrize("rule, names, options", RULES)
def test_update_rules(rule, names, options, dtype):
    rng = np.random.RandomState(0)
    found = rng.normal(size=1001).astype(dtype)
    state = {name: np.zeros(1001, dtype) for name in names}
    expected = found.astype(np.float64)
    wide_state = {name: np.zeros(1001) for name in names}
    for step in range(1, 6):
        rate = 0.1 / step  # a schedule: where the rate enters the velocity matters
        gradient = rng.normal(size=1001).astype(dtype)
        kept = gradient.copy()
        pace = SimpleNamespace(learning_rate=rate, step=step)
        CPU.update(rule, found, gradient, state, pace, **options)
        np.testing.assert_array_equal(gradient, kept)
        wide = gradient.astype(np.float64)
        REFERENCE.update(rule, expected, wide, wide_state, pace, **options)
        assert_close(found, expected, dtype, accumulations=100)
        for name in names:
            assert_close(state[name], wide_state[name], dtype, accumulations=100)


def test_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match="sse"), using_isa("sse"):
        pass


def test_unknown_update_rule():
    with pytest.raises(ValueError, match="unknown update rule 'adamax'; allowed are sgd"):
        CPU.update("adamax", np.zeros(1), np.zeros(1), {}, None)


def test_rows_are_added_to_the_row_of_their_id():
    rng = np.random.RandomState(0)
    table = rng.standard_normal((7, 3))
    ids = np.array([2, 0, 2, 6, 2, 0])
    rows = rng.standard_normal((6, 3))
    expected = table.copy()
    REFERENCE.add_rows(expected, ids, rows)
    CPU.add_rows(table, ids, rows)
    assert_close(table, expected, np.float64, len(ids))


@every_dtype
@pytest.mark.parametrize("n_columns", [1, 2, 17])
def test_the_largest_score_is_numpys(dtype, n_columns):
    rng = np.random.RandomState(0)
    scores = rng.randint(0, 4, size=(200, n_columns)).astype(dtype)  # with equals
    scores[rng.uniform(size=scores.shape) < 0.1] = np.nan
    scores[rng.uniform(size=scores.shape) < 0.1] = -np.inf
    for given in (scores, scores[:, ::-1], scores[:0]):
        found = CPU.largest(given)
        np.testing.assert_array_equal(found, given.argmax(axis=1))
        assert found.dtype == np.intp
