"""Both directions of a layer at once: the bits of one after the other, by every set of kernels."""

import dataclasses

import numpy as np
import pytest
from backends.recurrent_problem import CASES, make_problem

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.backends.directions import OneAfterTheOther
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

CPU = get_backend("cpu")
LENGTHS = {
    "ragged": (6, 5, 5, 3, 3, 1, 0),
    "many": tuple(sorted((k % 9 for k in range(40)), reverse=True)),
    "one": (40,),
    "few": (33, 20, 20, 7, 2),
    "nothing": (0, 0),
    "none": (),
}
every_isa = pytest.mark.parametrize("isa", isa_available())
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def two_problems(cell, option, lengths, n_inputs, hidden_size, dtype, precision="full"):
    """Return a problem for each direction; the second has the x of the first."""
    problems = []
    for reverse in (False, True):
        one = make_problem(cell, option, lengths, n_inputs, hidden_size, reverse, seed=int(reverse))
        one = one.astype(dtype)
        problems.append(
            dataclasses.replace(one, spec=dataclasses.replace(one.spec, precision=precision))
        )
    problems[1].x = problems[0].x
    return problems


def run(joined, problems, *, states=True, training=True, input_gradient=True, row_of=None):
    """Return everything that a call there and one back gave, copied."""
    state = [None] * 4
    dstate = [None] * 4
    for number, problem in enumerate(problems):
        if states:
            for place, name in enumerate(("h0", "c0")):
                state[2 * number + place] = problem.starts.get(name)
            for place, name in enumerate(("dh_n", "dc_n")):
                dstate[2 * number + place] = problem.ends.get(name)
    masks = [problem.masks for problem in problems]
    weights = [problem.weights for problem in problems]
    y, ends = joined.forward(
        problems[0].plan,
        problems[0].x,
        weights,
        state,
        training=training,
        masks=masks,
        row_of=row_of,
    )
    found = [y.copy(), *(None if end is None else end.copy() for end in ends)]
    if not training:
        return found
    gradients = [{name: np.zeros_like(w) for name, w in of.items()} for of in weights]
    dy = np.concatenate([problem.dy for problem in problems], axis=1)
    dx, starts = joined.backward(dy, gradients, dstate, input_gradient=input_gradient)
    return [*found, dx, *starts, *gradients[0].values(), *gradients[1].values()]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for got, want in zip(found, expected):
        assert (got is None) == (want is None)
        if want is not None:
            np.testing.assert_array_equal(got, want)


def bound(problems):
    """Return what runs both at once, and what runs one after the other, by other objects."""
    dtype = problems[0].x.dtype

    def operations():
        return [CPU.recurrent(problem.spec, dtype) for problem in problems]

    return CPU.joined(*operations()), OneAfterTheOther(operations(), np)


@every_isa
@every_dtype
@pytest.mark.parametrize("cell, option", CASES)
def test_every_option_has_the_bits_of_one_after_the_other(cell, option, dtype, isa):
    problems = two_problems(cell, option, LENGTHS["ragged"], 5, 9, dtype)
    with using_isa(isa):
        joined, apart = bound(problems)
        for n_threads in (1, 2, 3):
            with using_threads(n_threads):
                found = run(joined, problems)
            assert_same(found, run(apart, problems))
            assert_same(run(joined, problems, training=False), run(apart, problems, training=False))


@every_isa
@every_dtype
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("hidden_size", [1, 16, 33, 130])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_size_has_the_bits_of_one_after_the_other(cell, hidden_size, lengths, dtype, isa):
    problems = two_problems(cell, "plain", lengths, 7, hidden_size, dtype)
    with using_isa(isa):
        joined, apart = bound(problems)
        with using_threads(1):
            expected = run(apart, problems, states=False)
        for n_threads in (1, 2, 3, 4, 7):
            with using_threads(n_threads):
                assert_same(run(joined, problems, states=False), expected)


@every_isa
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_bfloat16_and_no_input_gradient(cell, isa):
    problems = two_problems(cell, "plain", LENGTHS["many"], 70, 40, np.float32, "bf16")
    with using_isa(isa):
        joined, apart = bound(problems)
        expected = run(apart, problems, input_gradient=False)
        for n_threads in (1, 2, 4):
            with using_threads(n_threads):
                assert_same(run(joined, problems, input_gradient=False), expected)


@every_isa
@every_dtype
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_rows_of_a_table_have_the_bits_of_one_after_the_other(cell, training, dtype, isa):
    problems = two_problems(cell, "plain", LENGTHS["many"], 20, 33, dtype)
    rng = np.random.default_rng(0)
    row_of = rng.integers(0, 9, problems[0].plan.n_rows)
    problems[0].x = problems[1].x = rng.normal(size=(9, 20)).astype(dtype)
    with using_isa(isa):
        joined, apart = bound(problems)
        expected = run(apart, problems, training=training, row_of=row_of)
        for n_threads in (1, 2, 3):
            with using_threads(n_threads):
                assert_same(run(joined, problems, training=training, row_of=row_of), expected)


@every_isa
def test_wide_layers_of_few_sequences_share_the_hidden_units(isa):
    problems = two_problems("lstm", "plain", (3, 3), 8, 400, np.float32)
    with using_isa(isa):
        joined, apart = bound(problems)
        expected = run(apart, problems)
        for n_threads in (2, 4, 8):
            with using_threads(n_threads):
                assert_same(run(joined, problems), expected)


@every_isa
@every_dtype
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_few_sequences_have_the_bits_that_they_have_among_many(cell, reverse, training, dtype, isa):
    """Steps of few rows form the terms of x for several steps at once."""
    lengths = np.array([61, 60, 37, 36, 20, 3, 3, 1])
    rng = np.random.default_rng(3)
    spec = LayerSpec(cell, 6, 35, reverse=reverse)
    weights = {
        name: rng.normal(size=shape).astype(dtype) / 6
        for name, shape in spec.parameter_shapes().items()
    }
    X = [rng.normal(size=(n, 6)).astype(dtype) for n in lengths]

    def outputs(members, n_threads):
        plan = pack(lengths[members])
        x = np.empty((plan.n_rows, 6), dtype)
        places = [[] for _ in members]
        for row, b in enumerate(plan.sequence_of_row()):
            x[row] = X[members[b]][len(places[b])]
            places[b].append(row)
        with using_threads(n_threads):
            y, _, _ = CPU.recurrent(spec, np.dtype(dtype)).forward(
                plan, x, weights, training=training
            )
        return {member: y[rows] for member, rows in zip(members, places)}

    with using_isa(isa):
        expected = outputs(list(range(len(lengths))), 1)
        for members in ([0], [0, 1], [1, 3], [0, 2, 4], [2, 5, 6, 7], [7]):
            for n_threads in (1, 2, 3):
                for member, y in outputs(members, n_threads).items():
                    np.testing.assert_array_equal(y, expected[member])


def test_two_directions_of_different_layers_are_refused():
    one, other, third = (
        CPU.recurrent(LayerSpec(cell, 2, h), np.dtype(np.float32))
        for cell, h in (("gru", 3), ("gru", 4), ("lstm", 3))
    )
    with pytest.raises(ValueError, match="equal hidden_size, got 3 and 4"):
        CPU.joined(one, other)
    with pytest.raises(ValueError, match="equal cell, got gru and lstm"):
        CPU.joined(one, third)
    with pytest.raises(ValueError, match="two layers"):
        CPU.joined(one, one)


def test_backward_needs_both_forward_calls_and_a_gradient_of_both():
    problems = two_problems("gru", "plain", (2, 1), 2, 3, np.float32)
    joined, apart = bound(problems)
    gradients = [{n: np.zeros_like(w) for n, w in p.weights.items()} for p in problems]
    with pytest.raises(RuntimeError, match="needs a forward call"):
        joined.backward(None, gradients, [None] * 4)
    run(joined, problems)
    weights = [problem.weights for problem in problems]
    arguments = (problems[0].plan, problems[0].x, weights, [None] * 4)
    joined.forward(*arguments, training=True)
    with pytest.raises(ValueError, match=r"dy must have shape \(3, 6\), got \(3, 3\)"):
        joined.backward(np.ones((3, 3), np.float32), gradients, [None] * 4)
    one = joined.forward(*arguments)[0].copy()
    np.testing.assert_array_equal(one, apart.forward(*arguments)[0])
    with pytest.raises(RuntimeError, match="needs a forward call"):
        joined.backward(None, gradients, [None] * 4)
