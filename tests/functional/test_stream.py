"""A stream of plain arrays: the bits of the whole sequence, on every backend and dtype."""

import numpy as np
import pytest

from rnnkit.functional import RecurrentStream, recurrent

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
OPTIONS = {
    "rnn": [{}, {"activation": "relu", "cell_clip": 0.5}],
    "lstm": [{}, {"coupled_gates": True, "activation": "softsign", "output_activation": "tanh"}],
    "gru": [{}, {"reset": "before", "gate_activation": "hard_sigmoid"}],
}


def weights_of(cell, n_inputs, hidden_size, n_layers, dtype=np.float64, peephole=False):
    rng = np.random.default_rng(3)
    rows = GATES[cell] * hidden_size
    shapes = {}
    for layer in range(n_layers):
        shapes[f"weight_ih_l{layer}"] = (rows, hidden_size if layer else n_inputs)
        shapes[f"weight_hh_l{layer}"] = (rows, hidden_size)
        shapes[f"bias_ih_l{layer}"] = shapes[f"bias_hh_l{layer}"] = (rows,)
        if peephole:
            shapes[f"peephole_l{layer}"] = (3 * hidden_size,)
    return {name: rng.normal(0, 0.4, shape).astype(dtype) for name, shape in shapes.items()}


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("variant", [0, 1])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_have_the_bits_of_the_whole(cell, variant, backend, dtype):
    options = OPTIONS[cell][variant]
    peephole = cell == "lstm" and variant == 1
    weights = weights_of(cell, 3, 17, 2, dtype, peephole)
    x = np.random.default_rng(0).standard_normal((1, 6, 3)).astype(dtype)
    stream = RecurrentStream(weights, cell, n_layers=2, backend=backend, **options)
    steps = [stream.step(x[0, t]).copy() for t in range(6)]
    whole = None
    for t in range(6):  # as many steps at once: the reference's products depend on the rows
        whole = recurrent(
            x[:, t : t + 1],
            weights,
            cell,
            n_layers=2,
            backend=backend,
            h0=None if t == 0 else whole.h_n,
            c0=None if t == 0 else whole.c_n,
            **options,
        )
        np.testing.assert_array_equal(steps[t], whole.y[:, 0])
    if backend == "cpu":
        whole = recurrent(x, weights, cell, n_layers=2, **options)
        np.testing.assert_array_equal(np.concatenate(steps), whole.y[0])
    for layer, (h, c) in enumerate(stream.state):
        np.testing.assert_array_equal(h, whole.h_n[layer])
        assert (c is None) == (cell != "lstm")
        if c is not None:
            np.testing.assert_array_equal(c, whole.c_n[layer])


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("variant", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_at_once_have_the_bits_of_each_alone(cell, variant, dtype):
    options = OPTIONS[cell][variant]
    weights = weights_of(cell, 3, 17, 2, dtype, cell == "lstm" and variant == 1)
    for n in (1, 2, 5, 40):
        x = np.random.default_rng(n).standard_normal((4, n, 3)).astype(dtype)
        many = RecurrentStream(weights, cell, n_layers=2, n_sequences=n, **options)
        alone = [RecurrentStream(weights, cell, n_layers=2, **options) for _ in range(n)]
        for step in x:
            h = many.step(step).copy()
            np.testing.assert_array_equal(h, [s.step(row)[0] for s, row in zip(alone, step)])
        kept = many.state
        assert kept[1][0].shape == (n, 17)
        after = many.step(x[0]).copy()
        many.reset()
        fresh = RecurrentStream(weights, cell, n_layers=2, **options)
        np.testing.assert_array_equal(many.step(x[0])[-1:], fresh.step(x[0, -1]))
        many.state = kept
        np.testing.assert_array_equal(many.step(x[0]), after)
        many.state = kept
        many.reset([n - 1])
        found = many.step(x[0]).copy()
        np.testing.assert_array_equal(found[: n - 1], after[: n - 1])
        fresh.reset()
        np.testing.assert_array_equal(found[-1:], fresh.step(x[0, -1]))
        for wrong in (x[0, :, :2], x[0][: n - 1], x[0, 0] if n > 1 else x[0, 0, :1]):
            with pytest.raises(ValueError, match="x must have shape"):
                many.step(np.ascontiguousarray(wrong))


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (True, TypeError), (1.5, TypeError)])
def test_a_number_of_sequences_that_is_none_is_refused(n, error):
    with pytest.raises(error, match="n_sequences must be"):
        RecurrentStream(weights_of("rnn", 2, 3, 1), "rnn", n_sequences=n)


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_state_is_got_set_and_reset(cell, backend):
    weights = weights_of(cell, 2, 5, 1)
    x = np.random.default_rng(1).standard_normal((4, 2))
    stream, other = (RecurrentStream(weights, cell, backend=backend) for _ in range(2))
    first = stream.step(x[0]).copy()
    stream.step(x[1])
    other.state = kept = stream.state
    expected = stream.step(x[2]).copy()
    np.testing.assert_array_equal(other.step(x[2]), expected)
    other.state = kept  # what was got is a copy, whatever ran since
    np.testing.assert_array_equal(other.step(x[2]), expected)
    other.reset()
    assert not other.state[0][0].any()
    np.testing.assert_array_equal(other.step(x[0]), first)


def test_later_changes_of_the_weights_are_not_seen():
    weights = weights_of("gru", 2, 5, 1)
    stream = RecurrentStream(weights, "gru")
    expected = RecurrentStream(weights, "gru").step(np.ones(2)).copy()
    weights["weight_ih_l0"][...] = 0
    np.testing.assert_array_equal(stream.step(np.ones(2)), expected)


def test_bad_steps_and_weights_are_refused():
    weights = weights_of("lstm", 2, 5, 1)
    stream = RecurrentStream(weights)
    with pytest.raises(TypeError, match="float64"):
        stream.step(np.ones(2, np.float32))
    with pytest.raises(TypeError, match="x must be an array"):
        stream.step([1.0, 2.0])
    with pytest.raises(ValueError, match=r"x must have shape \(2,\), got \(3,\)"):
        stream.step(np.ones(3))
    strided = np.ones(4)[::2]
    np.testing.assert_array_equal(stream.step(strided), RecurrentStream(weights).step(np.ones(2)))
    with pytest.raises(ValueError, match="weight_hh_l0"):
        RecurrentStream({})
    with pytest.raises(ValueError, match="which no layer uses"):
        RecurrentStream({**weights, "weight_ih_l0_reverse": weights["weight_ih_l0"]})


def wrong_states(kept):
    """States that do not fit those of two layers, and what is said of each."""
    (h0, c0), (h1, c1) = kept
    beyond = h1 + 0
    beyond[-1, -1] = np.nan
    yield None, "state must be a list of 2 tuples"
    yield kept[0][0], "state must be a list of 2 tuples"
    yield kept[:1], "state must be a list of 2 tuples .* got 1 entries"
    yield [*kept, kept[0]], "state must be a list of 2 tuples .* got 3 entries"
    yield [(h0, c0), h1], "state must be a list of 2 tuples"
    yield [(h0, c0), (h1,)], "state must be a list of 2 tuples"
    yield [(h0, c0), (None, c1)], r"h of state\[1\] must hold real numbers"
    yield [(h0, c0), (h1.astype(str), c1)], r"h of state\[1\] must hold real numbers"
    yield [(h0, c0), (h1[:, :-1], c1)], r"h of state\[1\] must have shape \(\d, 5\), got"
    yield [(h0, c0), (h1[0], c1)], r"h of state\[1\] must have shape"
    yield [(h0, c0), (beyond, c1)], r"h of state\[1\] contains NaN, infinity"
    yield [(h0, c0), (beyond * np.inf, c1)], r"h of state\[1\] contains NaN, infinity"
    if c1 is None:
        yield [(h0, c0), (h1, h1)], r"c of state\[1\] must be None, got ndarray"
    else:
        yield [(h0, c0), (h1, None)], r"c of state\[1\] must hold real numbers"
        yield [(h0, c0), (h1, c1[:, 1:])], r"c of state\[1\] must have shape"
        yield [(h0, c0), (h1, beyond)], r"c of state\[1\] contains NaN, infinity"


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("n", [None, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(cell, backend, n, dtype):
    weights = weights_of(cell, 2, 5, 2, dtype)
    options = {"n_layers": 2, "backend": backend, "n_sequences": n}
    stream, other = (RecurrentStream(weights, cell, **options) for _ in range(2))
    x = np.random.default_rng(2).standard_normal((2, n or 1, 2)).astype(dtype)
    stream.step(x[0] if n else x[0, 0])
    other.step(x[1] if n else x[1, 0])
    before = stream.state
    for wrong, sentence in wrong_states(other.state):
        with pytest.raises(ValueError, match=sentence):
            stream.state = wrong
        for found, expected in zip(stream.state, before, strict=True):
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[1], expected[1])
    stream.state = [tuple(a if a is None else a.astype("f8") for a in s) for s in other.state]
    np.testing.assert_array_equal(stream.state[1][0], other.state[1][0])
