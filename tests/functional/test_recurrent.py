"""`recurrent`: the forms of its arguments, what it refuses, and gradients through layers."""

import numpy as np
import pytest
from gradcheck import assert_gradients_along_a_direction
from tolerances import assert_close, tolerance

from rnnkit.cells import make_activation
from rnnkit.functional import RecurrentStream, recurrent
from rnnkit.sequences import Sequences

N_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
LENGTHS = np.array([2, 4, 0, 3])
N, T, N_INPUTS, H = 4, 4, 2, 3


def draw_weights(
    cell="lstm", n_layers=1, bidirectional=False, peephole=False, norm=False, n_inputs=N_INPUTS
):
    rng = np.random.RandomState(1)
    weights = {}
    for layer in range(n_layers):
        for suffix in ("", "_reverse")[: 1 + bidirectional]:
            rows = N_GATES[cell] * H
            width = n_inputs if layer == 0 else H * (1 + bidirectional)
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, H)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if peephole:
                shapes["peephole"] = (3 * H,)
            if norm:
                shapes |= {"norm_ih": (rows,), "norm_hh": (rows,)}
            if norm and cell == "lstm":
                shapes |= {"norm_c": (H,), "norm_c_bias": (H,)}
            for name, shape in shapes.items():
                weights[f"{name}_l{layer}{suffix}"] = rng.normal(size=shape) * 0.6
    return weights


def draw_x(dtype=np.float64):
    return np.random.RandomState(2).normal(size=(N, T, N_INPUTS)).astype(dtype)


def draw_states(cell="lstm", n_rows=1):
    rng = np.random.RandomState(3)
    names = ("h0", "c0") if cell == "lstm" else ("h0",)
    return {name: rng.normal(size=(n_rows, N, H)) for name in names}


def ragged(x):
    return [sequence[:length] for sequence, length in zip(x, LENGTHS)]


def reference(x, weights, cell="lstm", **options):
    return recurrent(x, weights, cell, backend="reference", **options)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    "cell, options, given",
    [
        ("rnn", {"activation": "softsign"}, {}),
        ("rnn", {"reverse": True}, {"norm": True}),
        ("lstm", {"cell_clip": 0.8}, {"peephole": True}),
        ("lstm", {"coupled_gates": True}, {"peephole": True}),
        ("lstm", {}, {"norm": True}),
        ("gru", {}, {"norm": True}),
        ("gru", {"reset": "before"}, {}),
    ],
)
def test_gradients_through_layers_are_finite_differences(cell, options, given, bidirectional):
    if bidirectional and options.get("reverse"):
        options = {}
    D = 1 + bidirectional
    arrays = {
        "x": draw_x(),
        **draw_states(cell, 2 * D),
        **draw_weights(cell, 2, bidirectional, **given),
    }
    rng = np.random.RandomState(4)
    dy = rng.normal(size=(N, T, D * H))
    ends = {f"d{n[0]}_n": rng.normal(size=(2 * D, N, H)) for n in draw_states(cell)}
    options = dict(options, n_layers=2, bidirectional=bidirectional, lengths=LENGTHS)

    def run():
        weights = {name: a for name, a in arrays.items() if name not in ("x", "h0", "c0")}
        states = {name: arrays[name] for name in draw_states(cell)}
        return reference(arrays["x"], weights, cell, **states, **options)

    def loss():
        result = run()
        total = (result.y * dy).sum() + (result.h_n * ends["dh_n"]).sum()
        return total if result.c_n is None else total + (result.c_n * ends["dc_n"]).sum()

    assert_gradients_along_a_direction(run().backward(dy, **ends), loss, arrays)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_form_of_x_gives_the_same(cell):
    x, weights, states = draw_x(), draw_weights(cell), draw_states(cell)
    dy = np.random.RandomState(5).normal(size=(N, T, H))
    padded = reference(x, weights, cell, lengths=LENGTHS, **states)
    expected = padded.backward(dy)
    real = np.arange(T) < LENGTHS[:, None]
    assert not padded.y[~real].any()
    assert not expected["x"][~real].any()

    as_list = reference(ragged(x), weights, cell, **states)
    assert isinstance(as_list.y, list)
    found = as_list.backward(ragged(dy))
    objects = np.empty(N, dtype=object)
    objects[:] = ragged(x)
    as_objects = reference(objects, weights, cell, **states)
    assert as_objects.y.dtype == object
    found_objects = as_objects.backward(as_objects.y)["x"]
    assert found_objects.dtype == object
    container = Sequences.from_any(ragged(x), allow_empty=True)
    as_sequences = reference(container, weights, cell, **states)
    assert isinstance(as_sequences.y, Sequences)
    found_sequences = as_sequences.backward(Sequences.from_any(ragged(dy), allow_empty=True))
    for n, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(as_list.y[n], padded.y[n, :length])
        np.testing.assert_array_equal(as_sequences.y[n], padded.y[n, :length])
        np.testing.assert_array_equal(as_objects.y[n], padded.y[n, :length])
        assert found_objects[n].shape == x[n, :length].shape
        np.testing.assert_array_equal(found["x"][n], expected["x"][n, :length])
        np.testing.assert_array_equal(found_sequences["x"][n], expected["x"][n, :length])
    for name in set(expected) - {"x"}:
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_array_equal(as_list.h_n, padded.h_n)


def test_padding_is_never_looked_at():
    x, weights = draw_x(), draw_weights()
    clean = reference(x, weights, lengths=LENGTHS)
    x[np.arange(T) >= LENGTHS[:, None]] = np.nan
    dirty = reference(x, weights, lengths=LENGTHS)
    np.testing.assert_array_equal(dirty.y, clean.y)
    dy = np.where(np.arange(T) < LENGTHS[:, None], 1.0, np.nan)[:, :, None] * np.ones(H)
    for name, gradient in dirty.backward(dy).items():
        np.testing.assert_array_equal(gradient, clean.backward(np.nan_to_num(dy))[name])


def test_empty_sequence_passes_its_states_on():
    states = draw_states()
    result = reference(draw_x(), draw_weights(), lengths=LENGTHS, **states)
    np.testing.assert_array_equal(result.h_n[:, 2], states["h0"][:, 2])
    np.testing.assert_array_equal(result.c_n[:, 2], states["c0"][:, 2])
    dh_n = np.ones((1, N, H))
    gradients = result.backward(dh_n=dh_n)
    np.testing.assert_array_equal(gradients["h0"][:, 2], dh_n[:, 2])
    assert not gradients["x"][2].any()


@pytest.mark.parametrize("x", [np.zeros((2, 0, N_INPUTS)), [np.zeros((0, N_INPUTS))] * 2])
def test_no_step_at_all(x):
    h0 = np.arange(6.0).reshape(1, 2, 3)
    result = reference(x, draw_weights("gru"), "gru", h0=h0)
    np.testing.assert_array_equal(result.h_n, h0)
    np.testing.assert_array_equal(result.backward(dh_n=h0)["h0"], h0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int8, ">f4", bool])
def test_float32_is_kept_and_the_rest_becomes_float64(dtype):
    x = np.round(draw_x()).astype(dtype)
    result = reference(x, draw_weights(), lengths=LENGTHS)
    expected = np.float32 if np.dtype(dtype).itemsize == 4 else np.float64
    assert result.y.dtype == result.h_n.dtype == result.c_n.dtype == expected
    assert {g.dtype for g in result.backward(np.ones((N, T, H))).values()} == {np.dtype(expected)}


def test_biases_may_be_absent():
    weights = draw_weights("gru")
    zeros = {**weights, "bias_ih_l0": np.zeros(3 * H), "bias_hh_l0": np.zeros(3 * H)}
    del weights["bias_ih_l0"], weights["bias_hh_l0"]
    result = reference(draw_x(), weights, "gru")
    np.testing.assert_array_equal(result.y, reference(draw_x(), zeros, "gru").y)
    assert set(result.backward(result.y)) == {"x", "h0", *weights}


def test_hidden_bias_of_a_gru_is_not_folded_into_the_other():
    weights = draw_weights("gru")
    swapped = dict(weights, bias_ih_l0=weights["bias_hh_l0"], bias_hh_l0=weights["bias_ih_l0"])
    after, before = (
        np.abs(
            reference(draw_x(), weights, "gru", reset=reset).y
            - reference(draw_x(), swapped, "gru", reset=reset).y
        ).max()
        for reset in ("after", "before")
    )
    assert after > 0.01
    assert before <= tolerance(np.float64, T * (N_INPUTS + H))


def test_gradients_can_be_asked_for_again():
    result = reference(draw_x(), draw_weights(n_layers=2), n_layers=2, lengths=LENGTHS)
    y = result.y.copy()
    first = result.backward(y)
    other = result.backward(2 * y)
    for name, gradient in first.items():
        assert_close(other[name], 2 * gradient, np.float64)
    np.testing.assert_array_equal(result.y, y)


def test_arguments_are_not_written_to():
    arrays = {"x": draw_x(), **draw_states(), **draw_weights(peephole=True)}
    for array in arrays.values():
        array.setflags(write=False)
    weights = {name: a for name, a in arrays.items() if name not in ("x", "h0", "c0")}
    copies = {name: a.copy() for name, a in arrays.items()}
    result = reference(arrays["x"], weights, h0=arrays["h0"], c0=arrays["c0"])
    result.backward(result.y, result.h_n, result.c_n)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, copies[name])


def test_options_of_one_direction_do_not_reach_the_other():
    weights = draw_weights("rnn", bidirectional=True)
    both = reference(
        draw_x(), weights, "rnn", bidirectional=True, activation=("relu", "tanh"), lengths=LENGTHS
    )
    second = {name.removesuffix("_reverse"): a for name, a in weights.items() if "_rev" in name}
    first = {name: a for name, a in weights.items() if "_rev" not in name}
    forward = reference(draw_x(), first, "rnn", activation="relu", lengths=LENGTHS)
    backward = reference(draw_x(), second, "rnn", reverse=True, lengths=LENGTHS)
    np.testing.assert_array_equal(both.y, np.concatenate([forward.y, backward.y], axis=2))
    np.testing.assert_array_equal(both.h_n, np.concatenate([forward.h_n, backward.h_n]))


def test_activation_parameters():
    x, weights = draw_x(), draw_weights()
    named = reference(
        x, weights, activation="scaled_tanh", activation_params={"activation": (1.2, 0.5)}
    )
    made = make_activation("scaled_tanh", 1.2, 0.5)
    explicit = reference(
        x, weights, activation=made, gate_activation="logistic", output_activation=made
    )
    np.testing.assert_array_equal(named.y, explicit.y)
    own = reference(
        x,
        weights,
        activation="scaled_tanh",
        output_activation="scaled_tanh",
        activation_params={"activation": (1.2, 0.5)},
    )
    assert np.abs(own.y - named.y).max() > 0.01
    only_beta = reference(
        x, weights, activation="hard_sigmoid", activation_params={"activation": (None, 0.1)}
    )
    filled = reference(
        x, weights, activation="hard_sigmoid", activation_params={"activation": (0.2, 0.1)}
    )
    np.testing.assert_array_equal(only_beta.y, filled.y)


def changed(weights=None, **changes):
    return {**(draw_weights() if weights is None else weights), **changes}


BAD = {
    "cell": ({"cell": "elman"}, ValueError, "unknown cell 'elman'; allowed are rnn, lstm, gru"),
    "n_layers": ({"n_layers": 0}, ValueError, "n_layers must be an integer of at least 1, got 0"),
    "n_layers_bool": ({"n_layers": True}, ValueError, "n_layers must be an integer"),
    "both_ways": ({"bidirectional": True, "reverse": True}, ValueError, "leave reverse=False"),
    "activation": ({"activation": "elu"}, ValueError, "unknown activation 'elu'; allowed are"),
    "activation_none": ({"activation": None}, ValueError, "activation must be one activation"),
    "pair_without_second": ({"activation": ("tanh", "relu")}, ValueError, "each of 1 direction"),
    "params_unknown": (
        {"activation_params": {"f": (1, 1)}},
        ValueError,
        r"activation_params has \['f'\]; allowed are activation, gate_activation",
    ),
    "params_shape": (
        {"activation_params": {"activation": (1.0,)}},
        ValueError,
        r"activation_params\['activation'\] must be \(alpha, beta\)",
    ),
    "output_activation": (
        {"cell": "gru", "weights": draw_weights("gru"), "output_activation": "tanh"},
        ValueError,
        "output_activation belongs to the lstm cell",
    ),
    "reset": ({"reset": "never"}, ValueError, "reset must be 'after' or 'before', got 'never'"),
    "clip": ({"cell_clip": -1.0}, ValueError, "cell_clip must be positive or None, got -1.0"),
    "clip_bool": ({"cell_clip": True}, ValueError, "cell_clip must be positive or None, got True"),
    "backend": ({"backend": "cuda"}, ValueError, "backend must be 'cpu' or 'reference'"),
    "x_2d": ({"x": np.zeros((4, 2))}, ValueError, r"x must have shape \(N, T, I\).* got shape"),
    "x_none": ({"x": None}, TypeError, "x must be an array"),
    "x_complex": ({"x": draw_x().astype(complex)}, ValueError, "Complex data not supported"),
    "x_nan": ({"x": np.full((N, T, N_INPUTS), np.nan)}, ValueError, "x contains NaN"),
    "x_width": ({"x": np.zeros((N, T, 5))}, ValueError, r"weight_ih_l0 must have shape \(12, 5\)"),
    "lengths_shape": ({"lengths": [4]}, ValueError, r"lengths must have shape \(4,\), got \(1,\)"),
    "lengths_high": ({"lengths": [1, 5, 1, 1]}, ValueError, r"lengths\[1\] must be .*4, got 5"),
    "lengths_low": ({"lengths": [1, 1, -1, 1]}, ValueError, r"lengths\[2\] must be .*got -1"),
    "lengths_float": ({"lengths": [1, 1.5, 1, 1]}, TypeError, "lengths must be integers"),
    "lengths_bool": ({"lengths": [True] * 4}, TypeError, "lengths must be integers"),
    "lengths_and_list": (
        {"x": ragged(draw_x()), "lengths": LENGTHS},
        ValueError,
        "lengths belongs to a padded array",
    ),
    "h0_shape": ({"h0": np.zeros((N, H))}, ValueError, r"h0 must have shape \(1, 4, 3\), got"),
    "c0_shape": ({"c0": np.zeros((2, N, H))}, ValueError, r"c0 must have shape \(1, 4, 3\), got"),
    "h0_nan": ({"h0": np.full((1, N, H), np.nan)}, ValueError, "h0 contains NaN"),
    "c0_inf": ({"c0": np.full((1, N, H), np.inf)}, ValueError, "c0 contains NaN, infinity"),
    "h0_text": ({"h0": [["a"]]}, ValueError, "h0 must hold real numbers, got dtype"),
    "c0_of_gru": (
        {"cell": "gru", "weights": draw_weights("gru"), "c0": np.zeros((1, N, H))},
        ValueError,
        "c0 belongs to the lstm cell, not gru",
    ),
    "no_weights": ({"weights": {}}, ValueError, "must have a 'weight_hh_l0'"),
    "missing": (
        {"weights": {"weight_hh_l0": np.zeros((12, 3))}},
        ValueError,
        "weights has no 'weight_ih_l0'",
    ),
    "missing_layer": ({"n_layers": 2}, ValueError, "weights has no 'weight_ih_l1'"),
    "missing_direction": ({"bidirectional": True}, ValueError, "no 'weight_ih_l0_reverse'"),
    "missing_norm": (
        {"weights": changed(norm_ih_l0=np.ones(12))},
        ValueError,
        "weights has no 'norm_hh_l0'",
    ),
    "unused_layer": (
        {"weights": draw_weights(n_layers=2)},
        ValueError,
        r"weights has \['bias_hh_l1', .* which no layer uses; check n_layers",
    ),
    "unknown_weight": (
        {"weights": changed(weight_hr_l0=np.ones((1, 1)))},
        ValueError,
        r"weights has \['weight_hr_l0'\], which no layer uses",
    ),
    "peephole_of_gru": (
        {"cell": "gru", "weights": draw_weights("gru", peephole=True)},
        ValueError,
        "peephole and coupled_gates belong to the lstm cell",
    ),
    "wrong_cell": ({"cell": "gru"}, ValueError, r"weight_ih_l0 must have shape \(9, 2\), got"),
    "bias_shape": (
        {"weights": changed(bias_hh_l0=np.zeros(3))},
        ValueError,
        r"bias_hh_l0 must have shape \(12,\), got \(3,\)",
    ),
    "weight_nan": (
        {"weights": changed(bias_hh_l0=np.full(12, np.nan))},
        ValueError,
        "bias_hh_l0 contains NaN",
    ),
    "weight_too_large": (
        {"x": draw_x(np.float32), "weights": changed(bias_hh_l0=np.full(12, 1e39))},
        ValueError,
        "bias_hh_l0 contains .*too large for float32",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_argument_gets_one_clear_sentence(case):
    changes, error, message = BAD[case]
    arguments = {"x": draw_x(), "weights": draw_weights(), "backend": "reference", **changes}
    with pytest.raises(error, match=message) as caught:
        recurrent(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"dy": np.zeros((N, T, 2))}, r"dy must have shape \(4, 4, 3\), got \(4, 4, 2\)"),
        ({"dh_n": np.zeros((N, H))}, r"dh_n must have shape \(1, 4, 3\)"),
        ({"dc_n": np.zeros((1, N, H))}, "dc_n belongs to the lstm cell"),
        ({"dh_n": np.full((1, N, H), np.nan)}, "dh_n contains NaN"),
    ],
)
def test_wrong_gradient_gets_one_clear_sentence(arguments, message):
    result = reference(draw_x(), draw_weights("gru"), "gru")
    with pytest.raises(ValueError, match=message):
        result.backward(**arguments)


def test_wrong_ragged_gradient_names_the_sequence():
    result = reference(ragged(draw_x()), draw_weights("gru"), "gru")
    dy = [np.zeros((length, H)) for length in LENGTHS]
    with pytest.raises(ValueError, match="dy must have 4 sequences, got 3"):
        result.backward(dy[:3])
    dy[1] = np.zeros((1, H))
    with pytest.raises(ValueError, match=r"dy\[1\] must have shape \(4, 3\), got \(1, 3\)"):
        result.backward(dy)


def test_the_list_of_weights_that_keras_gives_is_refused_with_a_remedy():
    weights = [np.ones((3, 8)), np.ones((2, 8)), np.ones(8)]
    with pytest.raises(TypeError, match=r"must be a dict .* got a list; .*kernel\.T"):
        recurrent(np.ones((1, 4, 3)), weights, "lstm")
    with pytest.raises(TypeError, match=r"must be a dict .* got a list; .*kernel\.T"):
        RecurrentStream(weights, "lstm")


def test_masked_weights_are_refused():
    weights = {"weight_ih_l0": np.ma.masked_equal(np.eye(2), 0), "weight_hh_l0": np.eye(2)}
    with pytest.raises(ValueError, match="weight_ih_l0 is a masked array with masked entries"):
        recurrent(np.ones((1, 4, 2)), weights, "rnn")
