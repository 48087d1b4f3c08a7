"""The states of an echo state network beside those of reservoirpy with the same matrices."""

import numpy as np
import pytest
from tolerances import tolerance

import rnnkit

nodes = pytest.importorskip("reservoirpy.nodes", reason="reservoirpy is not installed")


@pytest.mark.parametrize("leak", [1.0, 0.3])
def test_states_are_those_of_reservoirpy(leak):
    x = np.random.RandomState(0).uniform(-1, 1, (200, 3))
    model = rnnkit.EchoStateSequenceRegressor(40, leak=leak, random_state=0).fit([x], [x[:, 0]])
    weights = model.weights_
    reservoir = nodes.Reservoir(
        40,
        lr=leak,
        W=weights["rnn.weight_hh_l0"],
        Win=weights["rnn.weight_ih_l0"],
        bias=weights["rnn.bias_l0"],
    )
    (states,) = model.hidden_states([x])
    assert np.abs(reservoir.run(x) - states).max() < tolerance(np.float64, 1000)
