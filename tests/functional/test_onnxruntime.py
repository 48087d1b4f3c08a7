"""`recurrent` against onnxruntime: the options that torch does not have, on random layers."""

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.cells import make_activation
from rnnkit.functional import recurrent

pytest.importorskip("onnx", reason='onnx is absent: pip install "rnnkit[oracle]"')
pytest.importorskip("onnxruntime", reason='onnxruntime is absent: pip install "rnnkit[oracle]"')

from functional.onnx_oracle import ROLES, run_onnx

BACKENDS = ["reference", "cpu"]
N, T, N_INPUTS, H = 4, 6, 3, 5
LENGTHS = [2, 6, 5, 1]
N_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
DIRECTIONS = ["forward", "reverse", "bidirectional"]

# ONNX attributes and the arguments of `recurrent` that say the same.
OPTIONS = {
    "rnn": {"plain": ({}, {}), "clip": ({"clip": 0.5}, {"cell_clip": 0.5})},
    "lstm": {
        "plain": ({}, {}),
        "clip": ({"clip": 0.5}, {"cell_clip": 0.5}),
        "coupled": ({"input_forget": 1}, {"coupled_gates": True}),
        "coupled_clip": (
            {"input_forget": 1, "clip": 0.5},
            {"coupled_gates": True, "cell_clip": 0.5},
        ),
    },
    "gru": {
        "after": ({"linear_before_reset": 1}, {}),
        "before": ({"linear_before_reset": 0}, {"reset": "before"}),
        "after_clip": ({"linear_before_reset": 1, "clip": 0.5}, {"cell_clip": 0.5}),
        "before_clip": (
            {"linear_before_reset": 0, "clip": 0.5},
            {"cell_clip": 0.5, "reset": "before"},
        ),
    },
}
CASES = [
    (cell, option, peephole)
    for cell, options in OPTIONS.items()
    for option in options
    for peephole in ([False, True] if cell == "lstm" else [False])
]
FUNCTIONS = [
    ("tanh",),
    ("sigmoid",),
    ("softsign",),
    ("relu",),
    ("hard_sigmoid", 0.3, 0.4),
    ("linear", 0.4, 0.1),
    ("leaky_relu", 0.2),
    ("scaled_tanh", 0.9, 0.7),
]


def draw_layer(cell, direction, peephole=False, scale=0.5):
    """Return x, weights and initial states in float32."""
    rng = np.random.RandomState(0)
    suffixes = ("", "_reverse") if direction == "bidirectional" else ("",)
    G = N_GATES[cell]
    shapes = {
        "weight_ih_l0": (G * H, N_INPUTS),
        "weight_hh_l0": (G * H, H),
        "bias_ih_l0": (G * H,),
        "bias_hh_l0": (G * H,),
    }
    if peephole:
        shapes["peephole_l0"] = (3 * H,)
    weights = {
        name + suffix: (rng.normal(size=shape) * scale).astype(np.float32)
        for suffix in suffixes
        for name, shape in shapes.items()
    }
    names = ("h0", "c0") if cell == "lstm" else ("h0",)
    states = {n: rng.normal(size=(len(suffixes), N, H)).astype(np.float32) for n in names}
    return rng.normal(size=(N, T, N_INPUTS)).astype(np.float32), weights, states


def assert_same(result, expected):
    for got, want in zip((result.y, result.h_n, result.c_n), expected):
        if want is not None:
            assert got.dtype == np.float32
            assert_close(got, want, np.float32, accumulations=T * (N_INPUTS + H))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["equal", "ragged"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("cell, option, peephole", CASES)
def test_options(cell, option, peephole, direction, lengths, backend):
    x, weights, states = draw_layer(cell, direction, peephole)
    attributes, arguments = OPTIONS[cell][option]
    expected = run_onnx(
        x, weights, cell, lengths=lengths, direction=direction, **states, **attributes
    )
    result = recurrent(
        x,
        weights,
        cell,
        lengths=lengths,
        bidirectional=direction == "bidirectional",
        reverse=direction == "reverse",
        backend=backend,
        **states,
        **arguments,
    )
    assert_same(result, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift", range(len(FUNCTIONS)))
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_activations_of_each_direction(cell, shift, backend):
    # Small weights: with unbounded gates the states of larger ones grow without limit.
    x, weights, states = draw_layer(cell, "bidirectional", scale=0.2)
    roles = ROLES[cell]
    chosen = [FUNCTIONS[(shift + k) % len(FUNCTIONS)] for k in range(2 * len(roles))]
    functions = [
        {role: make_activation(*chosen[d * len(roles) + k]) for k, role in enumerate(roles)}
        for d in range(2)
    ]
    attributes = {"linear_before_reset": 1} if cell == "gru" else {}
    expected = run_onnx(
        x, weights, cell, direction="bidirectional", functions=functions, **states, **attributes
    )
    by_params = {role: tuple(function[role][1:] for function in functions) for role in roles}
    result = recurrent(
        x,
        weights,
        cell,
        bidirectional=True,
        activation_params=by_params,
        backend=backend,
        **{role: tuple(function[role].name for function in functions) for role in roles},
        **states,
    )
    assert_same(result, expected)
    same = recurrent(
        x,
        weights,
        cell,
        bidirectional=True,
        backend=backend,
        **{role: tuple(function[role] for function in functions) for role in roles},
        **states,
    )
    np.testing.assert_array_equal(same.y, result.y)
