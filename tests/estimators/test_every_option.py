"""Every constructor parameter changes the result in every mode of y, or is refused by name."""

import re
import warnings

import numpy as np
import pytest
from estimators.options import (
    BY_TASK,
    ESTIMATORS,
    FORMS,
    MODES,
    OPTIONS,
    WITHOUT_RESULT,
    small,
)
from estimators.problems import CELLS

import rnnkit
from rnnkit.estimators.parameters.field import entries_of


def result_of(estimator, form, y):
    """What a fit gives: its weights, its losses and its predictions, as bytes."""
    X = FORMS[form]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    predictions = [np.asarray(part).tobytes() for part in estimator.predict(X)]
    return estimator.network_.parameters.flat.tobytes(), estimator.loss_curve_, predictions


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_parameter_has_a_value_here(name):
    cls = getattr(rnnkit, name)
    for parameter, (default, _) in entries_of(cls).items():
        if parameter not in {*WITHOUT_RESULT, *BY_TASK}:
            assert OPTIONS[parameter].value != default


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.usefixtures("patience_in_epochs")
def test_every_option_changes_the_result_or_is_refused(cell, mode):
    mode = MODES[mode]
    usual = {}
    wrong = []
    for parameter in entries_of(type(small(cell, mode))):
        if parameter in WITHOUT_RESULT or parameter in mode.settings:
            continue
        value, needs, form = OPTIONS[parameter]
        if any(mode.settings.get(other, needed) != needed for other, needed in needs.items()):
            continue  # the option belongs to another mode
        key = form, tuple(needs.items())
        if form == "rows" and "Sequence" in mode.task:
            usual[key] = None  # rows of one number a step have other steps than y
        if key not in usual:
            usual[key] = result_of(small(cell, mode, **needs), form, mode.y)
        try:
            result = result_of(small(cell, mode, **{**needs, parameter: value}), form, mode.y)
        except (ValueError, TypeError) as error:
            if not re.search(rf"\b{parameter}\b", str(error)):
                wrong.append((parameter, error))
        else:
            if result == usual[key]:
                wrong.append((parameter, "changes nothing"))
    assert wrong == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("monitor", ["loss", "score"])
@pytest.mark.filterwarnings("ignore")
def test_the_best_epoch_is_that_of_what_is_monitored(mode, monitor):
    mode = MODES[mode]
    estimator = small("GRU", mode, early_stopping=True, monitor=monitor, max_iter=6)
    estimator.fit(FORMS["numbers"], mode.y)
    losses, scores = estimator.validation_loss_curve_, estimator.validation_scores_
    best = np.argmin(losses) if monitor == "loss" else np.argmax(scores)
    assert estimator.best_epoch_ == best + 1
