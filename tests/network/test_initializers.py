"""Initial weights: their distributions, gate by gate."""

import math

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.network import SquaredError, build_network
from rnnkit.network.initializers import glorot_uniform, orthogonal


def network(cell="lstm", **options):
    built = build_network(cell, 3, SquaredError(2), per_step=False, **{"hidden_size": 8, **options})
    built.initialize(np.random.RandomState(0))
    return built.parameters


def test_glorot_fills_its_interval():
    drawn = glorot_uniform((200, 100), np.random.RandomState(0))
    limit = math.sqrt(6 / 300)
    assert 0.99 * limit < drawn.max() <= limit
    assert -limit <= drawn.min() < -0.99 * limit


def test_orthogonal_is_orthogonal_and_has_no_preferred_sign():
    drawn = [orthogonal(8, np.random.RandomState(seed)) for seed in range(40)]
    assert_close(drawn[0] @ drawn[0].T, np.eye(8), np.float64, 64)
    positive = np.mean([q[0, 0] > 0 for q in drawn])
    assert 0.2 < positive < 0.8


@pytest.mark.parametrize("cell, n_gates", [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_weights_are_drawn_gate_by_gate(cell, n_gates):
    parameters = network(cell)
    limit = math.sqrt(6 / (8 + 3))
    assert np.abs(parameters["rnn.weight_ih_l0"]).max() <= limit
    for block in parameters["rnn.weight_hh_l0"].reshape(n_gates, 8, 8):
        assert_close(block @ block.T, np.eye(8), np.float64, 64)
    assert np.abs(parameters["head.weight"]).max() <= math.sqrt(6 / (8 + 2))
    assert not parameters["head.bias"].any()


def gate(parameters, position, name="rnn.bias_l0"):
    return parameters[name][8 * position : 8 * (position + 1)]


def test_forget_bias():
    bias = network()["rnn.bias_l0"].reshape(4, 8)
    np.testing.assert_array_equal(bias, np.repeat([0.0, 1.0, 0.0, 0.0], 8).reshape(4, 8))
    assert (gate(network(forget_bias=2.5), 1) == 2.5).all()


def test_gate_bias_by_name_replaces_the_default():
    parameters = network(gate_bias={"f": 5.0, "o": -2.0}, bidirectional=True, n_layers=2)
    for name in ("rnn.bias_l0", "rnn.bias_l1", "rnn.bias_l0_reverse", "rnn.bias_l1_reverse"):
        assert [gate(parameters, g, name)[0] for g in range(4)] == [0.0, 5.0, 0.0, -2.0]


def test_chrono_biases_of_the_lstm():
    parameters = network(gate_bias="chrono", longest=101, hidden_size=8)
    forget = gate(parameters, 1)
    assert (forget >= 0).all()
    assert (forget <= math.log(100)).all()
    assert len(np.unique(forget)) == 8
    np.testing.assert_array_equal(gate(parameters, 0), -forget)
    assert not gate(parameters, 2).any()
    assert not gate(parameters, 3).any()


def test_chrono_biases_of_the_gru_make_z_keep():
    parameters = network("gru", gate_bias="chrono", longest=101)
    keep = gate(parameters, 1)
    assert (keep > 0).all()
    assert (keep <= math.log(100)).all()
    assert not gate(parameters, 0).any()


@pytest.mark.parametrize("longest", [1, 2])
def test_chrono_of_very_short_sequences_is_zero(longest):
    assert not gate(network("gru", gate_bias="chrono", longest=longest), 1).any()


def test_chrono_draws_as_many_numbers_for_any_length():
    heads = [network(gate_bias="chrono", longest=longest)["head.weight"] for longest in (5, 5000)]
    np.testing.assert_array_equal(*heads)


def test_layer_norm_starts_as_the_identity():
    parameters = network(layer_norm=True)
    for name in ("norm_ih", "norm_hh", "norm_c"):
        assert (parameters[f"rnn.{name}_l0"] == 1).all()
    assert not parameters["rnn.norm_c_bias_l0"].any()


def test_output_bias():
    np.testing.assert_array_equal(network(output_bias=[-3.0, 2.0])["head.bias"], [-3.0, 2.0])
