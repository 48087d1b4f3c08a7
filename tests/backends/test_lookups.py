"""Rows that are looked up in a table: the very bits of the same rows one by one, on every path."""

import dataclasses

import numpy as np
import pytest
from backends.recurrent_problem import CASES, make_problem
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.cells import LayerSpec

CPU, REFERENCE = get_backend("cpu"), get_backend("reference")
MANY = tuple(sorted((k % 9 for k in range(75)), reverse=True))
N_INPUTS, HIDDEN_SIZE = 5, 33


def run(backend, problem, x, row_of, training):
    """Return all that comes of a forward call and, in training, of the backward call after it."""
    layer = backend.recurrent(problem.spec, x.dtype)
    found = layer.forward(
        problem.plan, x, problem.weights, **problem.starts,
        training=training, row_of=row_of, **problem.masks,
    )  # fmt: skip
    found = [np.array(array) for array in found if array is not None]
    if training:
        gradients = {name: np.zeros_like(weight) for name, weight in problem.weights.items()}
        back = layer.backward(problem.dy, gradients, **problem.ends)
        found += [np.array(array) for array in back if array is not None]
        found += list(gradients.values())
    return found


def problem_of(cell, option, dtype, n_rows, reverse=False, lengths=MANY):
    """Return a problem whose inputs are drawn from a table, the table, and from where."""
    problem = make_problem(cell, option, lengths, N_INPUTS, HIDDEN_SIZE, reverse).astype(dtype)
    rng = np.random.RandomState(n_rows)
    table = rng.normal(size=(n_rows, N_INPUTS)).astype(dtype)
    row_of = rng.randint(n_rows, size=problem.plan.n_rows)
    return dataclasses.replace(problem, x=table[row_of]), table, row_of


@pytest.mark.parametrize("isa", isa_available())
@pytest.mark.parametrize(("cell", "option"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [1, 40, 5000])  # few, half as many as are looked up, more
def test_a_table_gives_the_bits_of_its_rows(cell, option, isa, dtype, n_rows):
    with using_isa(isa):
        for reverse in (False, True):
            problem, table, row_of = problem_of(cell, option, dtype, n_rows, reverse)
            for training in (False, True):
                expected = run(CPU, problem, problem.x, None, training)
                found = run(CPU, problem, table, row_of, training)
                for got, want in zip(found, expected, strict=True):
                    assert_equal_but_for_a_blas(isa, got, want)


def assert_equal_but_for_a_blas(isa, got, want):
    """Of a BLAS the rows of a block are not promised to have the bits that they have alone."""
    if isa == "blas":
        assert_close(got, want, got.dtype, 1000)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("isa", [isa for isa in isa_available() if isa != "blas"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_bits_depend_on_neither_threads_nor_neighbours(cell, isa, n_threads):
    """A sequence alone looks up more rows than it has steps, so its rows are multiplied."""
    problem, table, row_of = problem_of(cell, "plain", np.float32, 40)
    with using_isa(isa), using_threads(n_threads):
        y, *_ = run(CPU, problem, table, row_of, False)
        first = np.flatnonzero(problem.plan.sequence_of_row() == 0)
        short, *_ = problem_of(cell, "plain", np.float32, 40, lengths=(len(first),))
        starts = {name: state[:1] for name, state in problem.starts.items()}
        alone = dataclasses.replace(short, weights=problem.weights, starts=starts)
        found, *_ = run(CPU, alone, table, row_of[first], False)
    np.testing.assert_array_equal(found, y[first])


@pytest.mark.parametrize("isa", [isa for isa in isa_available() if isa != "blas"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_rounded_products_have_the_bits_of_their_rows(cell, isa):
    problem, table, row_of = problem_of(cell, "plain", np.float32, 40)
    spec = LayerSpec(cell, N_INPUTS, HIDDEN_SIZE, precision="bf16")
    problem = dataclasses.replace(problem, spec=spec)
    with using_isa(isa):
        for training in (False, True):
            expected = run(CPU, problem, problem.x, None, training)
            for got, want in zip(run(CPU, problem, table, row_of, training), expected):
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_reference_looks_rows_up(cell):
    problem, table, row_of = problem_of(cell, "plain", np.float64, 40)
    for got, want in zip(
        run(REFERENCE, problem, table, row_of, True), run(CPU, problem, table, row_of, True)
    ):
        assert_close(got, want, np.float64, 1000)


def test_a_call_with_a_table_leaves_nothing_for_the_next():
    problem, table, row_of = problem_of("lstm", "plain", np.float32, 4)
    layer = CPU.recurrent(problem.spec, np.dtype(np.float32))
    for _ in range(2):
        whole = layer.forward(problem.plan, problem.x, problem.weights)[0].copy()
        found = layer.forward(problem.plan, table, problem.weights, row_of=row_of)[0].copy()
        np.testing.assert_array_equal(found, whole)
        table += 1
        problem.x += 1


@pytest.mark.parametrize("n_rows", [4, 5000])
def test_rows_that_are_not_there_are_refused(n_rows):
    problem, table, row_of = problem_of("gru", "plain", np.float32, n_rows)
    layer = CPU.recurrent(problem.spec, np.dtype(np.float32))
    for wrong in (-1, n_rows, 2**40):
        beyond = row_of.copy()
        beyond[-1] = wrong
        with pytest.raises(IndexError, match=rf"row_of must lie in 0 .. {n_rows - 1}, got {wrong}"):
            layer.forward(problem.plan, table, problem.weights, row_of=beyond)
    for wrong in (row_of[1:], row_of[:, None]):
        with pytest.raises(ValueError, match="row_of must have shape"):
            layer.forward(problem.plan, table, problem.weights, row_of=wrong)
    with pytest.raises(ValueError, match="x must have shape"):
        layer.forward(problem.plan, table[:, 1:], problem.weights, row_of=row_of)
