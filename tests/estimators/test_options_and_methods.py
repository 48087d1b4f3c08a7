"""Every option with every method: it works, or is refused by name."""

import copy
import pickle
import re

import numpy as np
import pytest
from estimators.options import (
    FORMS,
    MODES,
    OPTIONS,
    WITHOUT_RESULT,
    F,
    small,
)
from estimators.problems import CELLS
from sklearn.base import clone

from rnnkit.estimators.parameters.field import entries_of

SOME_MODES = [
    "label", "labels", "tags", "crf", "ctc", "number, quantile", "vector per step, squared",
    "written labels", "written numbers", "own steps",
]  # fmt: skip
# Words for an option in the reasons why a method refuses it.
WORDS = {"solver": "lbfgs"}


def classes_of(estimator, y):
    """What the first `partial_fit` asks for where labels are learned."""
    if not hasattr(type(estimator), "classes_") or getattr(estimator, "targets", "") == "numbers":
        return {}
    several = type(y) is np.ndarray and y.ndim == 2 + ("Tagger" in type(estimator).__name__)
    several = several or (type(y) is np.ndarray and y.ndim == 3)
    if several:
        return {"classes": np.arange(F)}
    return {"classes": np.unique(y) if isinstance(y, np.ndarray) else [0, 1]}


def bits(estimator, X):
    """The weights and predictions of an estimator."""
    predictions = [np.asarray(part).tobytes() for part in estimator.predict(X)]
    return estimator.network_.parameters.flat.tobytes(), predictions


def fit_again(estimator, X, y):
    expected = bits(estimator, X)
    assert bits(clone(estimator).fit(X, y), X) == expected
    estimator.fit(X, y)
    assert bits(estimator, X) == expected


def partial_fit(estimator, X, y):
    once = clone(estimator).partial_fit(X, y, **classes_of(estimator, y))
    before = once.network_.parameters.flat.copy()
    other = pickle.loads(pickle.dumps(once)).partial_fit(X, y)
    once.partial_fit(X, y)
    assert not np.array_equal(once.network_.parameters.flat, before)
    assert np.isfinite(once.network_.parameters.flat).all()
    assert bits(other, X) == bits(once, X)


def warm_start(estimator, X, y):
    epochs = len(estimator.loss_curve_)
    before = estimator.network_.parameters.flat.copy()
    estimator.set_params(warm_start=True).fit(X, y)
    assert not np.array_equal(estimator.network_.parameters.flat, before)
    assert len(estimator.loss_curve_) == epochs + estimator.n_iter_


def early_stopping(estimator, X, y):
    other = clone(estimator).set_params(early_stopping=True).fit(X, y)
    assert len(other.validation_scores_) == other.n_iter_
    assert np.isfinite(other.validation_scores_).all()


def validation_data(estimator, X, y):
    other = clone(estimator).fit(X, y, validation_data=(X, y))
    assert len(other.validation_scores_) == other.n_iter_
    assert np.isfinite(other.validation_scores_).all()


def weights_and_lengths(estimator, X, y):
    if X.ndim < 3:
        return
    lengths = np.full(len(X), X.shape[1])
    other = clone(estimator).fit(X, y, np.ones(len(X)), lengths=lengths)
    assert bits(other, X)[1] is not None
    assert other.score(X, y, np.ones(len(X)), lengths=lengths) <= 1


def stream(estimator, X, y):
    steps = X[0].reshape(-1, F)
    found = estimator.stream()
    answers = [found.step(x) for x in steps]
    whole = estimator.predict(X[:1])[0]
    if "Sequence" in type(estimator).__name__:
        np.testing.assert_array_equal(answers, whole)
    else:
        np.testing.assert_array_equal(answers[-1], whole)


def hidden_states(estimator, X, y):
    states = estimator.hidden_states(X)
    directions = 1 + estimator.bidirectional
    assert states.shape == (len(X), len(X[0].reshape(-1, F)), directions * estimator.hidden_size)
    assert np.isfinite(states).all()
    for gate in estimator.gate_activations(X).values():
        assert gate.shape == states.shape


def score(estimator, X, y):
    assert estimator.score(X, y) <= 1


def copies(estimator, X, y):
    expected = bits(estimator, X)
    assert bits(copy.deepcopy(estimator), X) == expected
    assert bits(pickle.loads(pickle.dumps(estimator)), X) == expected
    assert clone(estimator).get_params().keys() == estimator.get_params().keys()


METHODS = [
    copies, score, hidden_states, stream, fit_again, partial_fit, early_stopping,
    validation_data, weights_and_lengths, warm_start,
]  # fmt: skip


@pytest.mark.parametrize("mode", SOME_MODES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.filterwarnings("ignore")
def test_every_option_with_every_method(cell, mode):
    mode = MODES[mode]
    wrong = []
    refused_anyway = {}
    for parameter in [None, *entries_of(type(small(cell, mode)))]:
        if parameter in WITHOUT_RESULT or parameter in mode.settings:
            continue
        options, form = {}, "numbers"
        if parameter is not None:
            value, needs, form = OPTIONS[parameter]
            if any(mode.settings.get(other, needed) != needed for other, needed in needs.items()):
                continue
            options = {**needs, parameter: value}
        X = FORMS["numbers" if form == "rows" and "Sequence" in mode.task else form]
        estimator = small(cell, mode, **options)
        try:
            estimator.fit(X, mode.y)
        except (ValueError, TypeError):
            continue  # as test_every_option has it
        for method in METHODS:
            try:
                method(estimator, X, mode.y)
            except (ValueError, TypeError, AttributeError) as error:
                reason = str(error)
                if parameter is None:
                    refused_anyway[method] = reason
                words = "|".join([*options, *mode.settings])
                if reason != refused_anyway.get(method) and not re.search(words, reason):
                    wrong.append((parameter, method.__name__, repr(error)))
            except AssertionError as error:
                wrong.append((parameter, method.__name__, str(error)[:300]))
    assert wrong == []
    assert set(refused_anyway) <= {stream}


# What decides the weights that a first fit begins with, and nothing after.
OF_THE_FIRST_WEIGHTS = {"forget_bias", "gate_bias"}
# `partial_fit` trains for one epoch whatever these say.
OF_STOPPING = {"tol", "n_iter_no_change"}


def going_on(estimator, method, X, y):
    """The result of going on, as bytes."""
    getattr(estimator, method)(X, y)
    return *bits(estimator, X), estimator.loss_curve_


@pytest.mark.parametrize("mode", ["label", "tags", "ctc", "vector per step, squared"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("patience_in_epochs")
def test_going_on_with_another_parameter_changes_the_result_or_is_refused(cell, mode, method):
    mode = MODES[mode]
    wrong = []
    without_effect = OF_THE_FIRST_WEIGHTS | (OF_STOPPING if method == "partial_fit" else set())
    for parameter in entries_of(type(small(cell, mode))):
        if parameter in WITHOUT_RESULT or parameter in without_effect or parameter in mode.settings:
            continue
        value, needs, form = OPTIONS[parameter]
        if any(mode.settings.get(other, needed) != needed for other, needed in needs.items()):
            continue
        X = FORMS["numbers" if form == "rows" else form]
        settings = {"embedding_dim": 4} if parameter == "embedding_dim" else needs
        first = small(cell, mode, warm_start=True, **settings)
        try:
            if method == "fit":
                first.fit(X, mode.y)
            else:
                first.partial_fit(X, mode.y, **classes_of(first, mode.y))
            usual = going_on(copy.deepcopy(first), method, X, mode.y)
            first.set_params(**{parameter: value})
            if going_on(first, method, X, mode.y) == usual:
                wrong.append((parameter, "changes nothing"))
        except (ValueError, TypeError, AttributeError) as error:
            if not re.search("|".join([parameter, *needs, *mode.settings]), str(error)):
                wrong.append((parameter, repr(error)))
    assert wrong == []
