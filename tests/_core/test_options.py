"""The core takes the options and activations by name, and refuses what it does not know."""

import numpy as np
import pytest

from rnnkit.backends import get_backend
from rnnkit.cells import Activation, LayerSpec


class WithAnotherOption(LayerSpec):
    options = {"shortcut": 1.0}


class WithAnotherParameter(LayerSpec):
    def parameter_shapes(self):
        return {**super().parameter_shapes(), "shortcut": (3,)}


@pytest.mark.parametrize(
    "spec, message",
    [
        (WithAnotherOption("rnn", 2, 3), "does not know the option 'shortcut'"),
        (WithAnotherParameter("rnn", 2, 3), "does not know all of .* shortcut"),
        (LayerSpec("rnn", 2, 3, activation=Activation("cubic", 1, 0)), "the activation 'cubic'"),
    ],
)
def test_what_the_core_does_not_know_is_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        get_backend("cpu").recurrent(spec, np.dtype(np.float32))
