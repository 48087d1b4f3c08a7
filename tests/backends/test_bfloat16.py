"""Products of factors rounded to bfloat16: the core against the reference that rounds alike."""

import signal
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from backends.instruction_sets import SETS, multiplied_by, using_set
from backends.recurrent_problem import alone, make_problem, run_both, run_forward

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.backends.reference import to_bfloat16
from rnnkit.cells import LayerSpec

CPU = get_backend("cpu")
REFERENCE = get_backend("reference")
EPSILON = 2.0**-8  # half a unit in the last of 8 significant bits, relative
LENGTHS = {"ragged": (6, 5, 5, 3, 3, 1, 0), "equal": (4,) * 5, "one": (9,)}
LENGTHS["many"] = (5,) * 3 + (3,) * 16 + (2,) * 15  # more rows than the largest tile has

every_isa = pytest.mark.parametrize("isa", SETS)
every_cell = pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
both_directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


@cache
def draw(cell, lengths, hidden_size, reverse, n_inputs=5):
    problem = make_problem(cell, "plain", lengths, n_inputs, hidden_size, reverse)
    return replace(problem.astype(np.float32), spec=replace(problem.spec, precision="bf16"))


@cache
def expected_of(*key, precision="bf16"):
    problem = draw(*key).astype(np.float64)
    return run_both(REFERENCE, replace(problem, spec=replace(problem.spec, precision=precision)))


def errors(found, expected):
    """Return the error of every entry, relative to the largest entry of its array."""
    return np.concatenate(
        [
            (np.abs(got[name] - want[name]) / max(np.abs(want[name]).max(initial=0), 1e-30)).ravel()
            for got, want in zip(found, expected)
            for name in want
        ]
    )


def test_rounding():
    exact = np.array([0.0, -1.0, 1.5, 3e38, np.inf], np.float32)
    np.testing.assert_array_equal(to_bfloat16(exact[[0, 1, 2, 4]]), exact[[0, 1, 2, 4]])
    ties = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8])
    np.testing.assert_array_equal(to_bfloat16(ties), [1.0, 1 + 2.0**-6, -1.0])
    x = np.random.default_rng(0).standard_normal(1000)
    assert np.abs(to_bfloat16(x) / x - 1).max() <= EPSILON


@every_isa
@pytest.mark.parametrize("hidden_size, n_inputs", [(1, 1), (9, 5), (16, 4), (33, 7), (70, 3)])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@both_directions
@every_cell
def test_values_and_gradients(cell, reverse, lengths, hidden_size, n_inputs, isa):
    """Most entries agree far better than bfloat16 could.

    A sum that lies in the middle between two numbers of bfloat16 may be rounded to either, and
    what follows from it differs by as much.
    """
    key = (cell, lengths, hidden_size, reverse, n_inputs)
    with using_set(isa):
        found = errors(run_both(CPU, draw(*key)), expected_of(*key))
    assert np.median(found) <= EPSILON / 128
    assert found.max() <= 4 * EPSILON


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@every_cell
def test_the_rounding_shows(cell, lengths):
    """The comparison above notices a core that does not round."""
    key = (cell, lengths, 33, False, 7)
    found = errors(expected_of(*key, precision="full"), expected_of(*key))
    assert np.median(found) > EPSILON / 128


@every_isa
@both_directions
@every_cell
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("hidden_size", [17, 230])
def test_bits_depend_on_neither_threads_nor_batch(cell, lengths, hidden_size, reverse, isa):
    problem = draw(cell, lengths, hidden_size, reverse)
    with using_set(isa):
        with using_threads(1):
            expected = run_both(CPU, problem)
        for threads in (2, 3):
            with using_threads(threads):
                for got, want in zip(run_both(CPU, problem), expected):
                    for name in want:
                        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


@every_isa
@every_cell
@pytest.mark.parametrize("n", [5, 37])
def test_a_row_is_the_same_alone(cell, n, isa):
    problem, single = draw(cell, (4,) * n, 33, False), draw(cell, (4,), 33, False)
    with using_set(isa):
        whole = run_forward(CPU, problem)[1]
        for b in (2, n - 1):
            row = run_forward(CPU, alone(problem, single, b))[1]
            np.testing.assert_array_equal(row["y"], whole["y"][b::n])


@every_isa
@every_cell
def test_steps_have_the_bits_of_the_whole(cell, isa):
    problem = draw(cell, (6,), 33, False)
    with using_set(isa):
        stream = CPU.recurrent_stream(problem.spec, np.dtype(np.float32), problem.weights)
        stream.state = (problem.starts["h0"], problem.starts.get("c0"))
        steps = np.concatenate([stream.step(x).copy() for x in problem.x])
        _, whole = run_forward(CPU, problem)
    np.testing.assert_array_equal(steps, whole["y"])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.skipif("tiles" not in map(multiplied_by, SETS), reason="this machine has no AMX")
def test_tiles_are_not_lost_to_what_runs_meanwhile(cell):
    """A signal is handled in the middle of a call, by a call that uses the same registers."""
    long, short = draw(cell, (4000,) * 3, 33, False), draw(cell, LENGTHS["ragged"], 33, False)
    expected, handled = run_both(CPU, long), []
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(run_both(CPU, short)))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.02)
        while not handled:
            found = run_both(CPU, long)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for got, want in zip((*found, *handled[0]), (*expected, *run_both(CPU, short))):
        for name in want:
            np.testing.assert_array_equal(got[name], want[name], err_msg=name)


def test_what_cannot_be_computed_so_is_refused():
    for options in ({"peephole": True}, {"cell_clip": 1.0}, {"layer_norm": True}, {"zoneout": 0.1}):
        with pytest.raises(ValueError, match="precision='bf16' is for the usual cell"):
            LayerSpec("lstm", 2, 3, precision="bf16", **options)
    with pytest.raises(ValueError, match="precision must be 'full', 'bf16' or 'int8', got 'half'"):
        LayerSpec("lstm", 2, 3, precision="half")
    spec = LayerSpec("lstm", 2, 3, precision="bf16")
    with pytest.raises(ValueError, match="float32, got float64"):
        CPU.recurrent(spec, np.dtype(np.float64))
