"""What was fitted is read from what was fitted: changed parameters wait for the next fit."""

import warnings

import numpy as np
import pytest
from estimators.options import FORMS, MODES, OPTIONS, F, small
from estimators.problems import CELLS
from sklearn.base import clone

from rnnkit import RecurrentFeatures, backends
from rnnkit.estimators.parameters.field import entries_of

# These say how a fitted network is asked, and do so from the moment they are set.
EFFECTIVE_AT_ONCE = {"device", "beam_width", "length_penalty", "max_target_length"}

SOME_MODES = [
    "label", "labels", "tag", "tags", "crf", "ctc",
    "number, quantile", "vector, poisson", "number per step, huber", "vector per step, squared",
    "own steps", "written labels", "written numbers",
]  # fmt: skip
OTHER = {name: option.value for name, option in OPTIONS.items()}
OTHER |= {"monitor": "score", "verbose": 1, "warm_start": True}


def fitted(cell, mode, parameter=None):
    """A small estimator fitted with the other value of a parameter, and its X."""
    settings, form = {}, "numbers"
    if parameter in OPTIONS:
        value, settings, form = OPTIONS[parameter]
        if form == "rows" and "Sequence" in mode.task:
            form = "numbers"
        settings = {**settings, **mode.settings, parameter: value}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return small(cell, mode, **settings).fit(FORMS[form], mode.y), FORMS[form]


def all_of(answer):
    """The bytes of an answer in any form."""
    if isinstance(answer, dict):
        return [(name, all_of(part)) for name, part in answer.items()]
    if isinstance(answer, (list, tuple)) or getattr(answer, "dtype", None) == "object":
        return [all_of(part) for part in answer]
    return np.asarray(answer).tobytes()


def stream_of(estimator, X):
    stream = estimator.stream()
    return [stream.step(x) for x in X[0].reshape(-1, F)]


ASK = {
    "predict": lambda e, X, y: e.predict(X),
    "predict_proba": lambda e, X, y: e.predict_proba(X),
    "predict_log_proba": lambda e, X, y: e.predict_log_proba(X),
    "score": lambda e, X, y: e.score(X, y),
    "score_samples": lambda e, X, y: e.score_samples(X, y),
    "attention_weights": lambda e, X, y: e.attention_weights(X),
    "transform": lambda e, X, y: e.transform(X),
    "decision_function": lambda e, X, y: e.decision_function(X),
    "hidden_states": lambda e, X, y: e.hidden_states(X),
    "gate_activations": lambda e, X, y: e.gate_activations(X),
    "stream": lambda e, X, y: stream_of(e, X),
    "forecast": lambda e, X, y: e.forecast(X, 3),
    "n_features_in_": lambda e, X, y: e.n_features_in_,
    "n_outputs_": lambda e, X, y: e.n_outputs_,
    "classes_": lambda e, X, y: e.classes_,
    "attention_weights of y": lambda e, X, y: e.attention_weights(X, y),
    "weights_": lambda e, X, y: e.weights_,
}


def answers(estimator, X, y):
    """What every method says: its answer, or why it refuses."""
    found = {}
    for name, ask in ASK.items():
        if hasattr(estimator, name.split()[0]):
            try:
                found[name] = all_of(ask(estimator, X, y))
            except (AttributeError, ValueError) as error:
                found[name] = str(error)
    return found


@pytest.mark.parametrize("mode", SOME_MODES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_changed_parameter_changes_no_answer(cell, mode):
    mode = MODES[mode]
    estimator, X = fitted(cell, mode)
    expected = answers(estimator, X, mode.y)
    for parameter in entries_of(type(estimator)):
        if parameter in EFFECTIVE_AT_ONCE:
            continue
        before = getattr(estimator, parameter)
        estimator.set_params(**{parameter: OTHER[parameter]})
        assert answers(estimator, X, mode.y) == expected, parameter
        estimator.set_params(**{parameter: before})


@pytest.mark.parametrize(
    "mode", ["label", "tags", "ctc", "vector per step, squared", "written labels"]
)
@pytest.mark.parametrize("cell", CELLS)
def test_the_default_set_after_a_fit_without_it_changes_no_answer(cell, mode):
    mode = MODES[mode]
    for parameter, (default, _) in entries_of(type(small(cell, mode))).items():
        if parameter in EFFECTIVE_AT_ONCE or parameter in mode.settings:
            continue
        try:
            estimator, X = fitted(cell, mode, parameter)
        except ValueError:
            continue  # not an option of this mode
        expected = answers(estimator, X, mode.y)
        estimator.set_params(**{parameter: default})
        assert answers(estimator, X, mode.y) == expected, parameter


REFUSED = {
    "beam_width": (0, -2, 1.5, True, "x"),
    "length_penalty": (-1.0, np.nan, "x", None),
    "max_target_length": (0, -3, 2.7, True, "x"),
}


@pytest.mark.parametrize("mode", ["ctc", "written labels", "written numbers"])
@pytest.mark.parametrize("cell", CELLS)
def test_what_has_an_effect_at_once_is_refused_as_by_fit(cell, mode):
    mode = MODES[mode]
    estimator, X = fitted(cell, mode)
    asked = ["predict", "score"]
    asked += [name for name in ("attention_weights",) if hasattr(estimator, name)]
    expected = answers(estimator, X, mode.y)
    for parameter in REFUSED.keys() & entries_of(type(estimator)).keys():
        before = getattr(estimator, parameter)
        for value in REFUSED[parameter]:
            estimator.set_params(**{parameter: value})
            with pytest.raises(ValueError, match=f"'{parameter}' parameter of .* Got") as by_fit:
                clone(estimator).fit(X, mode.y)
            for name in asked:
                with pytest.raises(ValueError) as by_answer:
                    ASK[name](estimator, X, mode.y)
                assert str(by_answer.value) == str(by_fit.value), name
        estimator.set_params(**{parameter: before})
    assert answers(estimator, X, mode.y) == expected


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without a GPU, where nobody was warned yet."""
    monkeypatch.setattr("rnnkit.backends.cuda.why_no_gpu", lambda number: "there is none")
    backends._warn_of_fall_back.cache_clear()
    yield
    backends._warn_of_fall_back.cache_clear()


@pytest.mark.parametrize("mode", SOME_MODES)
def test_without_a_gpu_the_cpu_answers_for_it(mode, no_gpu):
    mode = MODES[mode]
    estimator, X = fitted("GRU", mode)
    expected = answers(estimator, X, mode.y)
    for name in ("cuda", "cuda:1", "auto"):
        estimator.set_params(device=name)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert answers(estimator, X, mode.y) == expected, name
        told = [str(warning.message) for warning in caught]
        assert sum("the CPU computes instead" in line for line in told) == (name != "auto")


@pytest.mark.parametrize("cell", CELLS)
def test_features_are_those_of_the_fit(cell):
    mode = MODES["label"]
    features = RecurrentFeatures(small(cell, mode, n_layers=2, hidden_size=5), layer=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features.fit(FORMS["numbers"], mode.y)
    expected = features.transform(FORMS["numbers"])
    names = features.get_feature_names_out().tolist()
    assert len(names) == expected.shape[1] == 5
    others = {"pooling": "mean", "layer": 1}
    for name in OPTIONS.keys() & features.estimator.get_params():
        others[f"estimator__{name}"] = OPTIONS[name].value
    for name, value in others.items():
        features.set_params(**{name: value})
        features.estimator_.set_params(hidden_size=9)
        np.testing.assert_array_equal(features.transform(FORMS["numbers"]), expected)
        assert features.get_feature_names_out().tolist() == names
