"""Any values of any parameters: a fit that works, or a sentence that names one of them.

Nothing may change in what is refused: the estimator keeps the parameters that it was given and the
attributes of the fit before.
"""

import copy
import functools
import warnings

import numpy as np
import pytest
from estimators.options import FORMS, MODES, OPTIONS, small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rnnkit
from rnnkit.estimators.parameters.field import entries_of

ODD = [
    None, True, False, 0, 1, 2, -1, 0.0, 0.5, 1.0, -0.5, 2.5, 1e300, 10**9, np.nan, np.inf, -np.inf,
    np.float32(0.5), np.int64(2), np.bool_(True), np.array(1), np.array([1.0, 2.0]), "", "tanh",
    "auto", "cuda", "nobody", b"tanh", [], [1], (0,), {}, {"a": 1}, {0: 2.0}, {"i": 1.0}, object(),
    int, len, 1 + 2j,
]  # fmt: skip
ENDLESS = {"max_iter", "n_iter_no_change"}  # 10**9 epochs are allowed, and take their time
QUICK = settings(
    max_examples=250, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@st.composite
def estimators(draw):
    """Return an estimator of any mode with up to three parameters set to anything, and its mode."""
    cell, mode = draw(st.sampled_from(["RNN", "LSTM", "GRU"])), MODES[draw(st.sampled_from(NAMES))]
    names = sorted(entries_of(type(small(cell, mode))))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    values = {}
    for name in chosen:
        allowed = [OPTIONS[name].value] if name in OPTIONS else []
        values[name] = draw(st.sampled_from([*allowed, *allowed, *ODD]))
        if name in ENDLESS and isinstance(values[name], int) and values[name] > 3:
            values[name] = 1
    return small(cell, mode, **values), mode, values


NAMES = list(MODES)


@functools.cache
def attributes_of_a_fit(cell, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vars(small(cell, MODES[name]).fit(FORMS["numbers"], MODES[name].y))


@QUICK
@given(estimators())
def test_any_value(drawn):
    estimator, mode, values = drawn
    given_ones = copy.copy(vars(estimator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(FORMS["numbers"], mode.y)
        except (ValueError, TypeError, MemoryError, RuntimeError, ImportError) as error:
            text = str(error)
        else:
            answer = estimator.predict(FORMS["numbers"])
            assert len(answer) == len(mode.y)
            return
    assert vars(estimator).keys() == given_ones.keys(), "it was refused and is fitted"
    assert all(vars(estimator)[name] is given_ones[name] for name in given_ones)
    needed = {word for name in values for word in others(name)}
    assert any(word in text for word in needed), f"{values}: {text}"
    assert len(text) < 2000


def others(name):
    """Return what a sentence about a parameter may call it."""
    also = {
        "device": ("cuda", "CuPy", "GPU"),
        "class_weight": ("class",),
        "embedding_dim": ("token ids",),
        "embedding_init": ("token ids",),
    }
    return (name, *also.get(name, ()))


@QUICK
@given(st.sampled_from(NAMES), st.data())
def test_a_refused_fit_keeps_the_fit_before(name, data):
    mode = MODES[name]
    estimator = small("GRU", mode)
    vars(estimator).update(attributes_of_a_fit("GRU", name))
    parameter = data.draw(st.sampled_from(["hidden_size", "solver", "dropout", "alpha", "tol"]))
    estimator.set_params(
        **{parameter: data.draw(st.sampled_from(["nobody", -1, np.nan, object()]))}
    )
    before = copy.copy(vars(estimator))
    with pytest.raises((ValueError, TypeError), match=parameter):
        estimator.fit(FORMS["numbers"], mode.y)
    assert vars(estimator) == before


def test_a_sentence_that_names_nothing_is_seen(monkeypatch):
    def mumble(self, X, y, **_):
        raise ValueError("that did not work")

    for kind in ("Classifier", "Regressor", "SequenceTagger", "SequenceRegressor"):
        for cell in ("RNN", "LSTM", "GRU"):
            monkeypatch.setattr(getattr(rnnkit, cell + kind), "fit", mumble)
    with pytest.raises(AssertionError):
        test_any_value()
