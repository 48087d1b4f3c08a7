"""A bound step offers a step and a state, and nothing that would bind other weights."""

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec


def test_a_step_cannot_be_run_as_a_layer():
    spec = LayerSpec("lstm", 2, 3)
    weights = {name: np.ones(shape) for name, shape in spec.parameter_shapes().items()}
    step = get_backend("cpu").recurrent_stream(spec, np.dtype(np.float64), weights)
    assert {name for name in dir(step) if not name.startswith("_")} == {"step", "state"}
