"""Training that goes on from weights: what may change on the way, and what is refused by name."""

import numpy as np
import pytest
from estimators.options import FORMS, LOSSES, MODES, OPTIONS, small
from estimators.problems import CELLS

X = FORMS["numbers"]
TASKS = {"Regressor": "number", "SequenceRegressor": "number per step"}
EVERY = [(cell, task) for cell in CELLS for task in TASKS]


def goes_on(model, how, X, y):
    if how == "partial_fit":
        return model.partial_fit(X, y)
    return model.set_params(warm_start=True).fit(X, y)


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
@pytest.mark.parametrize(("cell", "task"), EVERY)
@pytest.mark.filterwarnings("ignore")
def test_a_loss_whose_scores_mean_something_else_is_refused(cell, task, how):
    for was in LOSSES:
        mode = MODES[f"{TASKS[task]}, {was}"]
        for loss in LOSSES:
            model = small(cell, mode)
            goes_on(model, how, X, mode.y)
            weights = model.network_.parameters.flat.copy()
            model.set_params(loss=loss)
            if (loss == "poisson") == (was == "poisson"):
                goes_on(model, how, X, mode.y)
                continue
            told = f"cannot go on training: loss='{loss}' was '{was}' when its"
            with pytest.raises(ValueError, match=told):
                goes_on(model, how, X, mode.y)
            np.testing.assert_array_equal(model.network_.parameters.flat, weights)
            model.set_params(loss=was)
            goes_on(model, how, X, mode.y)


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
@pytest.mark.parametrize(("cell", "task"), EVERY)
@pytest.mark.filterwarnings("ignore")
def test_quantiles_in_another_order_are_refused(cell, task, how):
    mode = MODES[f"{TASKS[task]}, quantile"]
    model = small(cell, mode, quantile=[0.1, 0.5, 0.9])
    goes_on(model, how, X, mode.y)
    model.set_params(quantile=[0.9, 0.5, 0.1])
    told = r"cannot go on training: quantile=\[0.9, 0.5, 0.1\] was \[0.1, 0.5, 0.9\] when its"
    with pytest.raises(ValueError, match=told):
        goes_on(model, how, X, mode.y)
    goes_on(model.set_params(quantile=[0.2, 0.5, 0.8]), how, X, mode.y)


@pytest.mark.parametrize("mode", ["label", "tag", "crf", "ctc", "number, squared", "own steps"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.filterwarnings("ignore")
def test_only_parameters_that_shape_the_weights_are_blamed(cell, mode):
    mode = MODES[mode]
    for name in ("hidden_size", "n_layers", "bidirectional", "layer_norm"):
        model = small(cell, mode).fit(X, mode.y)
        value = OPTIONS[name].value
        if getattr(model, name, value) == value:
            continue
        others = {"max_iter": 1, "dropout": 0.5, "alpha": 0.1, "verbose": 0, "random_state": 7}
        model.set_params(**others, **{name: value}, warm_start=True)
        was = small(cell, mode).get_params()[name]
        told = f"cannot go on training: {name}={value!r} was {was!r} when its"
        with pytest.raises(ValueError, match=told):
            model.fit(X, mode.y)
        with pytest.raises(ValueError, match=told):
            model.partial_fit(X, mode.y)


@pytest.mark.parametrize("mode", ["label", "tag", "ctc", "number, squared", "own steps"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.filterwarnings("ignore")
def test_bf16_does_not_go_on_from_float64(cell, mode):
    mode = MODES[mode]
    model = small(cell, mode).fit(X, mode.y)
    model.set_params(precision="bf16", warm_start=True, max_iter=1)
    with pytest.raises(ValueError, match="cannot go on training: precision='bf16' was 'full' when"):
        model.fit(X, mode.y)
    with pytest.raises(ValueError, match="cannot go on training: precision='bf16' was 'full' when"):
        model.partial_fit(X, mode.y)
