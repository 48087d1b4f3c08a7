"""Products of integers of 8 bits: the core against the reference that rounds alike."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from backends.instruction_sets import SETS, using_set
from backends.recurrent_problem import CASES, OPTIONS, alone, make_problem, run_forward

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.backends.quantizing import LEAST, dequantized, quantized_rows
from rnnkit.cells import MOST_TERMS, LayerSpec, make_activation

CPU = get_backend("cpu")
REFERENCE = get_backend("reference")
FLOAT32 = np.dtype(np.float32)
LENGTHS = {"ragged": (6, 5, 5, 3, 3, 1, 0), "equal": (4,) * 5, "one": (9,)}
MEDIAN = 2e-7  # of the largest entry: the rounding of float32
ONE_LEVEL = 0.02  # what an h that lies between two integers may change, and what follows from it


# Rows of h have gates beside them with full gate recurrence, which is refused.
IN_8_BITS = [(c, o) for c, o in CASES if "full_gate_recurrence" not in OPTIONS[c][o]]
every_set = pytest.mark.parametrize("name", SETS)
every_cell = pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


@cache
def draw(cell, option, lengths, hidden_size, reverse=False, n_inputs=5):
    problem = make_problem(cell, option, lengths, n_inputs, hidden_size, reverse).astype(FLOAT32)
    return replace(problem, spec=replace(problem.spec, precision="int8"), masks={})


@cache
def expected_of(*key):
    return run_forward(REFERENCE, draw(*key), training=False)[1]


def errors(found, expected):
    """Return the error of every entry, relative to the largest entry of its array."""
    return np.concatenate(
        [
            (np.abs(found[name] - want) / max(np.abs(want).max(initial=0), 1e-30)).ravel()
            for name, want in expected.items()
        ]
    )


# ---- rounding ----


def test_rows_have_a_scale_each_and_the_nearest_integers():
    a = np.random.default_rng(0).standard_normal((50, 37)).astype(np.float32)
    integers, scales = quantized_rows(a)
    assert (np.abs(integers).max(axis=1) == 127).all()
    assert (np.abs(dequantized(integers, scales) - a) <= 0.501 * scales[:, None]).all()
    np.testing.assert_allclose(scales, np.abs(a).max(axis=1) / 127, rtol=2.0**-16)


@pytest.mark.parametrize("factor", [1.0, 1e-30, 3e37, 2.0**-117])
def test_what_is_rounded_stays(factor):
    """Integers times their scale are exact, so that a file and a network are the same numbers."""
    a = (np.random.default_rng(1).uniform(-1, 1, (300, 20)) * factor).astype(np.float32)
    integers, scales = quantized_rows(a)
    numbers = dequantized(integers, scales)
    np.testing.assert_array_equal(numbers.astype(float), integers * scales[:, None].astype(float))
    again, scales_again = quantized_rows(numbers)
    np.testing.assert_array_equal(again, integers)
    np.testing.assert_array_equal(scales_again, scales)


def test_rows_of_zeros_of_nearly_nothing_and_of_no_numbers():
    a = np.array([[0, 0], [LEAST / 2, 0], [1e-42, 0], [np.nan, 1], [1, -np.inf]], np.float32)
    integers, scales = quantized_rows(a)
    assert not integers.any()
    np.testing.assert_array_equal(scales, [0, 0, 0, np.nan, np.nan])
    assert quantized_rows(np.zeros((2, 0)))[1].tolist() == [0, 0]


# ---- sums ----


def linear_layer(x, weight_ih, weight_hh=None, h0=None):
    """Run an Elman layer without bias whose activation is the identity, one step."""
    hidden_size, n_inputs = weight_ih.shape
    spec = LayerSpec(
        "rnn", n_inputs, hidden_size, activation=make_activation("linear"), precision="int8"
    )
    recurrent = np.zeros((hidden_size,) * 2, np.float32) if weight_hh is None else weight_hh
    weights = {
        "weight_ih": weight_ih.astype(np.float32),
        "weight_hh": recurrent.astype(np.float32),
        "bias": np.zeros(hidden_size, np.float32),
    }
    plan = make_problem("rnn", lengths=(1,) * len(x)).plan
    operation = CPU.recurrent(spec, FLOAT32)
    return operation.forward(plan, x.astype(np.float32), weights, h0).__getitem__(0).copy()


SIZES = (1, 2, 3, 4, 5, 15, 16, 17, 31, 64, 65, 130, 511)


@every_set
@pytest.mark.parametrize("n", SIZES)
def test_sums_are_exact(n, name):
    """Whole numbers of which each row has a 127 come through as they are, and so do their sums."""
    rng = np.random.default_rng(n)
    x, w = (rng.integers(-127, 128, (rows, n)) for rows in (37, 21))
    x[:, 0], w[:, -1] = 127, -127
    with using_set(name):
        found = linear_layer(x, w)
    np.testing.assert_array_equal(found, x @ w.T)


@every_set
@pytest.mark.parametrize("n", SIZES)
def test_recurrent_sums_are_exact(n, name):
    rng = np.random.default_rng(n)
    h, w = (rng.integers(-127, 128, (rows, n)) for rows in (21, n))
    h[:, 0], w[:, -1] = -127, 127
    with using_set(name):
        x, none = np.zeros((21, 3), np.float32), np.zeros((n, 3), np.float32)
        found = linear_layer(x, none, w, h.astype(np.float32))
    np.testing.assert_array_equal(found, h @ w.T)


@every_set
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
@pytest.mark.parametrize("n", [4, 1041, MOST_TERMS])
def test_no_sum_saturates_or_leaves_its_bits(n, signs, name):
    """127 · 127 · 2^17 is the largest sum there can be."""
    x, w = np.full((17, n), 127 * signs[0]), np.full((3, n), 127 * signs[1])
    with using_set(name):
        found = linear_layer(x, w)
    np.testing.assert_array_equal(found, np.float32(127 * 127 * n * signs[0] * signs[1]))


@every_set
def test_rows_that_are_none(name):
    """Zeros, numbers near the ends of float32, and what is no number, each by itself."""
    w = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    x = np.ones((7, 6), np.float32)
    x[1], x[2], x[3], x[4] = 0, 1e-42, LEAST / 4, 3e36
    x[5, 2], x[6, 5] = np.nan, -np.inf
    with using_set(name):
        found = linear_layer(x, w)
    spec_sums = quantized_rows(w)
    expected = dequantized(*spec_sums).sum(axis=1)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-5)
    assert not found[1:4].any()
    np.testing.assert_allclose(found[4] / np.float32(3e36), expected, rtol=0, atol=1e-3)
    assert np.isnan(found[5:]).all()


# ---- layers ----


@every_set
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@both_directions
@pytest.mark.parametrize("cell, option", IN_8_BITS)
def test_values_of_every_option(cell, option, lengths, reverse, name):
    key = (cell, option, lengths, 19, reverse)
    with using_set(name):
        found = errors(run_forward(CPU, draw(*key), training=False)[1], expected_of(*key))
    assert np.median(found) <= MEDIAN
    assert found.max() <= ONE_LEVEL


@every_set
@pytest.mark.parametrize("hidden_size, n_inputs", [(1, 1), (9, 5), (16, 4), (33, 7), (70, 130)])
@every_cell
def test_values_of_every_size(cell, hidden_size, n_inputs, name):
    key = (cell, "plain", LENGTHS["ragged"], hidden_size, False, n_inputs)
    with using_set(name):
        found = errors(run_forward(CPU, draw(*key), training=False)[1], expected_of(*key))
    assert np.median(found) <= MEDIAN
    assert found.max() <= ONE_LEVEL


@every_cell
def test_the_rounding_shows(cell):
    """The comparison above notices a core that does not round."""
    problem = draw(cell, "plain", LENGTHS["ragged"], 33)
    full = replace(problem, spec=replace(problem.spec, precision="full"))
    exact = run_forward(REFERENCE, full, training=False)[1]
    found = errors(exact, expected_of(cell, "plain", LENGTHS["ragged"], 33))
    assert np.median(found) > 1000 * MEDIAN
    assert found.max() < 0.1


@every_set
@both_directions
@pytest.mark.parametrize("option", ["plain", "all"])
@every_cell
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("hidden_size", [17, 230])
def test_bits_do_not_depend_on_threads(cell, option, lengths, hidden_size, reverse, name):
    problem = draw(cell, option, lengths, hidden_size, reverse)
    with using_set(name):
        with using_threads(1):
            expected = run_forward(CPU, problem, training=False)[1]
        for threads in (2, 3):
            with using_threads(threads):
                for key, found in run_forward(CPU, problem, training=False)[1].items():
                    np.testing.assert_array_equal(found, expected[key], err_msg=key)


@every_set
@pytest.mark.parametrize("n", [5, 16, 39])  # rows of vectors, a tile register of AMX, some of them
@pytest.mark.parametrize("cell, option", IN_8_BITS)
def test_a_row_is_the_same_alone(cell, option, n, name):
    problem = draw(cell, option, (4,) * n, 33)
    single = draw(cell, option, (4,), 33)
    with using_set(name):
        whole = run_forward(CPU, problem, training=False)[1]
        for b in (2, n - 1):
            row = run_forward(CPU, alone(problem, single, b), training=False)[1]
            np.testing.assert_array_equal(row["y"], whole["y"][b::n])


@every_cell
@pytest.mark.parametrize("option", ["plain", "all"])
@pytest.mark.parametrize("hidden_size, n_inputs", [(16, 4), (33, 7), (70, 130)])
def test_what_multiplies_bytes_does_not_show(cell, option, hidden_size, n_inputs):
    """Sums are exact: one instruction set, whatever the machine has beyond its name."""
    lengths = (5,) * 17 + (4,) * 9 + (2,) * 3 + (1,) * 12
    problem = draw(cell, option, lengths, hidden_size, False, n_inputs)
    for isa in {name.partition(" ")[0] for name in SETS}:
        expected = None
        for name in SETS:
            if name.partition(" ")[0] == isa:
                with using_set(name):
                    found = run_forward(CPU, problem, training=False)[1]
                expected = expected or {key: array.copy() for key, array in found.items()}
                for key, array in found.items():
                    np.testing.assert_array_equal(array, expected[key], err_msg=f"{name} {key}")


@every_set
@every_cell
@pytest.mark.parametrize("n", [1, 3])
def test_steps_have_the_bits_of_the_whole(cell, n, name):
    problem = draw(cell, "plain", (6,) * n, 33)
    with using_set(name):
        stream = CPU.recurrent_stream(problem.spec, FLOAT32, problem.weights, n)
        stream.state = (problem.starts["h0"], problem.starts.get("c0"))
        rows = problem.x.reshape(6, n, -1)
        steps = np.concatenate([stream.step(x if n > 1 else x[0]).copy() for x in rows])
        _, whole = run_forward(CPU, problem, training=False)
    np.testing.assert_array_equal(steps, whole["y"])


@every_set
@every_cell
def test_rows_of_a_table_have_the_bits_of_rows(cell, name):
    problem = draw(cell, "plain", (5,) * 8, 20)
    row_of = np.arange(40) % 3
    with using_set(name):
        run = CPU.recurrent(problem.spec, FLOAT32).forward
        table = problem.x[:3].copy()
        looked_up = run(problem.plan, table, problem.weights, row_of=row_of)[0].copy()
        rows = run(problem.plan, table[row_of], problem.weights)[0]
    np.testing.assert_array_equal(looked_up, rows)


@every_set
@every_cell
def test_both_directions_have_the_bits_of_each(cell, name):
    one, other = (draw(cell, "plain", LENGTHS["ragged"], 40, reverse) for reverse in (False, True))
    with using_set(name):
        operations = [CPU.recurrent(problem.spec, FLOAT32) for problem in (one, other)]
        weights = [one.weights, other.weights]
        states = (None,) * 4
        y, _ = CPU.joined(*operations).forward(one.plan, one.x, weights, states)
        y = y.copy()
        each = [
            operation.forward(one.plan, one.x, w)[0].copy()
            for operation, w in zip(operations, weights)
        ]
    np.testing.assert_array_equal(y, np.concatenate(each, axis=1))


@pytest.mark.parametrize("option", ["plain", "all"])
@every_cell
def test_gates_of_a_training_call(cell, option):
    """They are there to look at; their gradients are not."""
    problem = draw(cell, option, LENGTHS["ragged"], 21)
    found, expected = (run_forward(b, problem, training=True)[0] for b in (CPU, REFERENCE))
    for gate in problem.spec.gates:
        difference = np.abs(found.gate(gate) - expected.gate(gate))
        assert np.median(difference) <= 5 * MEDIAN
        assert difference.max() <= ONE_LEVEL


def test_what_cannot_be_computed_so_is_refused():
    with pytest.raises(ValueError, match="takes at most 131,072 inputs and hidden units, got 131,"):
        LayerSpec("lstm", MOST_TERMS + 1, 3, precision="int8")
    with pytest.raises(ValueError, match="'int8' is for cells without full_gate_recurrence"):
        LayerSpec("lstm", 2, 3, precision="int8", full_gate_recurrence=True)
    spec = LayerSpec("lstm", 2, 3, precision="int8")
    with pytest.raises(ValueError, match="precision='int8' computes in float32, got float64"):
        CPU.recurrent(spec, np.dtype(np.float64))
    problem = draw("lstm", "plain", LENGTHS["one"], 3)
    for backend in (CPU, REFERENCE):
        operation, _ = run_forward(backend, problem)
        with pytest.raises(RuntimeError, match="precision='int8' is for inference alone"):
            operation.backward(
                problem.dy, {k: np.zeros_like(w) for k, w in problem.weights.items()}
            )
    masked = replace(problem, masks={"recurrent_mask": np.ones((1, 3), np.float32)})
    with pytest.raises(ValueError, match="precision='int8' has no recurrent dropout"):
        run_forward(CPU, masked)
