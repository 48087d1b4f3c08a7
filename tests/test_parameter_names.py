"""What has `set_params` answers an unknown name with the nearest, and has set nothing then."""

import importlib
import inspect

import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import rnnkit
from rnnkit.preprocessing import SequenceScaler

MODULES = ("rnnkit", "rnnkit.preprocessing", "rnnkit.energy", "rnnkit.training")
NEEDED = {
    "RecurrentFeatures": lambda: rnnkit.RecurrentFeatures(rnnkit.GRUClassifier()),
    "TransformedTargetSequenceRegressor": lambda: rnnkit.TransformedTargetSequenceRegressor(
        rnnkit.GRUSequenceRegressor()
    ),
}


def classes():
    """Return by name what makes an object of every public class with parameters to set."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            kind = getattr(module, name)
            if inspect.isclass(kind) and hasattr(kind, "set_params"):
                found[name] = NEEDED.get(name, kind)
    del found["SequencePipeline"]  # whose names are those of its steps: scikit-learn's
    return found


CLASSES = classes()
WITH_PARAMETERS = [name for name, make in CLASSES.items() if make().get_params()]


def test_every_room_is_looked_at():
    names = {"GRUClassifier", "LSTMForecaster", "RecurrentFeatures", "TokenEncoder", "Fold", "SGD"}
    assert names | {"HopfieldNetwork", "RecurrentRBM", "DeepBeliefNetwork", "Cosine"} <= set(
        CLASSES
    )


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_the_nearest_is_named_and_nothing_is_set(name):
    owner = CLASSES[name]()
    before = owner.get_params(deep=False)
    for right in before:
        wrong = right + "z"
        text = f"Invalid parameter '{wrong}' for {type(owner).__name__}; did you mean '{right}'"
        with pytest.raises(ValueError, match=text):
            owner.set_params(**dict.fromkeys(before, 7), **{wrong: 1})
        assert owner.get_params(deep=False) == before
    assert owner.set_params(**before) is owner


def test_parameters_inside_of_scikit_learns_objects():
    scaler = SequenceScaler(make_pipeline(StandardScaler(), StandardScaler()))
    text = "Invalid parameter 'with_means' for StandardScaler; did you mean 'with_mean'"
    with pytest.raises(ValueError, match=text):
        scaler.set_params(step_features=2, **{"scaler__standardscaler-2__with_means": False})
    with pytest.raises(ValueError, match="for Pipeline; did you mean 'standardscaler-"):
        scaler.set_params(step_features=2, **{"scaler__standardscaler-3": StandardScaler()})
    assert scaler.step_features == 1
    scaler.set_params(**{"scaler__standardscaler-2__with_mean": False})
    assert scaler.scaler[1].with_mean is False
    scaler.set_params(scaler=StandardScaler(), scaler__with_std=False)
    assert scaler.scaler.with_std is False
    scaler.set_params(scaler=Pipeline([("a", StandardScaler())]), scaler__a="passthrough")
    scaler.set_params(scaler__steps=[("b", StandardScaler())], scaler__b__with_std=False)
    assert scaler.scaler["b"].with_std is False
    with pytest.raises(ValueError, match="has no parameters inside to set: scaler__x needs an"):
        SequenceScaler().set_params(scaler__x=1)
