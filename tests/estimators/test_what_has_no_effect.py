"""What could have no effect, or an infinite one, is refused by name."""

import numpy as np
import pytest
from estimators.problems import CELLS

import rnnkit
from rnnkit.estimators.parameters.field import values_for

X = np.random.RandomState(0).randn(20, 4, 2)
IDS = np.random.RandomState(0).randint(0, 5, (20, 4, 2))
TASKS = {
    "Classifier": np.arange(20) % 2,
    "Regressor": X[:, -1, 0],
    "SequenceTagger": X[:, :, 0] > 0,
    "SequenceRegressor": X[:, :, 0],
    "SequenceLabeller": [["a"], ["b"]] * 10,
}
ALL = [(cell, task) for cell in CELLS for task in TASKS]


@pytest.mark.parametrize("cell, task", ALL)
def test_noise_of_numbers_is_refused_where_there_are_only_ids(cell, task):
    estimator = getattr(rnnkit, cell + task)(2, max_iter=1, embedding_dim=2, input_noise=0.1)
    with pytest.raises(ValueError, match="input_noise must be 0 where a step holds token ids"):
        estimator.fit(IDS, TASKS[task])
    estimator.set_params(categorical_features=(0,)).fit(IDS, TASKS[task])


def too_large(estimator):
    """Yield each number of cell and network as one that float32 cannot hold."""
    for name, value in values_for(estimator, "cell", "network").items():
        if name in ("forget_bias", "cell_clip", "input_noise"):
            yield name, 1e39
        elif name == "gate_bias":
            yield name, {"o" if "LSTM" in type(estimator).__name__ else "z": -1e39}
        elif "activation" in name:
            yield name, ("leaky_relu", 1e39)
        else:
            assert value is None or isinstance(value, (bool, str, int, tuple)) or 0 <= value <= 1, (
                name
            )


@pytest.mark.parametrize("cell, task", ALL)
def test_numbers_too_large_for_float32_are_refused(cell, task):
    kind = getattr(rnnkit, cell + task)
    for name, value in too_large(kind()):
        estimator = kind(2, max_iter=1, **{name: value})
        with pytest.raises(ValueError, match=f"{name}=.* is too large for float32"):
            estimator.fit(X.astype(np.float32), TASKS[task])
        assert not hasattr(estimator, "network_")
