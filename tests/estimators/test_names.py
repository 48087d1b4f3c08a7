"""Names: of columns in every form of X that has them, and of parameters."""

import warnings

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator, ragged
from estimators.test_targets import TASKS, targets_of
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import rnnkit
from rnnkit import RecurrentFeatures, Sequences
from rnnkit.estimators.reader import Reader
from rnnkit.inspection import permutation_importance
from rnnkit.preprocessing import (
    Difference,
    Fold,
    FourierTime,
    Padder,
    SequenceImputer,
    SequenceScaler,
    SequenceSummary,
    SlidingWindows,
)
from rnnkit.training import SGD, Adam, Cosine

X = ragged(24)
NAMED = [pd.DataFrame(x, columns=["pulse", "pressure"]) for x in X]
SWAPPED = [x[["pressure", "pulse"]] for x in NAMED]
WIDE = pd.DataFrame(np.random.RandomState(0).randn(24, 6), columns=list("abcdef"))
EVERY = [(cell, task) for cell in CELLS for task in TASKS]


def objects(frames):
    array = np.empty(len(frames), object)
    array[:] = frames
    return array


def sequences(frames):
    long = pd.concat([frame.assign(id=i) for i, frame in enumerate(frames)])
    return Sequences.from_frame(long, "id")


FORMS = [list, tuple, objects, sequences]


def small(cell, task, **options):
    return estimator(cell, task, hidden_size=3, max_iter=2, **options)


def methods_of(model):
    names = ("predict", "predict_proba", "hidden_states", "gate_activations", "transform")
    return [getattr(model, name) for name in names if hasattr(model, name)]


FITTED = {
    f"{cell}{task}": lambda X, y, cell=cell, task=task: small(cell, task).fit(X, y)
    for cell, task in EVERY
}
FITTED["RecurrentFeatures"] = lambda X, y: RecurrentFeatures(small("GRU", "Classifier")).fit(X, y)
FITTED["GRUAutoencoder"] = lambda X, y: small("GRU", "Autoencoder").fit(X)
FITTED["GRUEncoderDecoder"] = lambda X, y: small("GRU", "EncoderDecoder").fit(
    X, [["a", "b"] for _ in range(len(X))]
)
FITTED["GRUSeriesGenerator"] = lambda X, y: small("GRU", "SeriesGenerator").fit(X)
FITTED["EchoStateClassifier"] = lambda X, y: rnnkit.EchoStateClassifier(3, random_state=0).fit(X, y)
for kind in (Difference, Fold, FourierTime, SequenceImputer, SequenceScaler, SequenceSummary):
    FITTED[kind.__name__] = lambda X, y, kind=kind: kind().fit(X)
FITTED["Padder"] = lambda X, y: Padder(length=20).fit(X)
FITTED["SlidingWindows"] = lambda X, y: SlidingWindows(2).fit(X)


def y_for(name):
    tasks = [task for task in TASKS if name.endswith(task)]
    return targets_of(max(tasks, key=len, default="Classifier"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FITTED)
def test_swapped_columns_are_refused(name, form):
    y = y_for(name)
    model = FITTED[name](form(NAMED), y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in methods_of(model):
            method(form(NAMED))
            with pytest.raises(ValueError, match="must be in the same order"):
                method(form(SWAPPED))
    if hasattr(model, "score"):
        with pytest.raises(ValueError, match="must be in the same order"):
            model.score(form(SWAPPED), y)
    if hasattr(model, "partial_fit"):
        with pytest.raises(ValueError, match="must be in the same order"):
            model.partial_fit(form(SWAPPED), y)
    if hasattr(model, "feature_names_in_"):
        assert model.feature_names_in_.tolist() == ["pulse", "pressure"]
        assert getattr(model, "n_features_in_", 2) == 2  # windows need no fit
    for renamed in (method for method in methods_of(model)):
        with pytest.raises(ValueError, match="unseen at fit time:\n- speed"):
            renamed(form([x.rename(columns={"pulse": "speed"}) for x in NAMED]))


@pytest.mark.parametrize(("first", "second"), [(list, sequences), (sequences, list)])
@pytest.mark.parametrize("name", FITTED)
def test_names_are_compared_between_forms(name, first, second):
    model = FITTED[name](first(NAMED), y_for(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in methods_of(model):
            method(second(NAMED))
            method(first(NAMED)[:3])
            with pytest.raises(ValueError, match="must be in the same order"):
                method(second(SWAPPED))


@pytest.mark.parametrize("form", [list, sequences])
@pytest.mark.parametrize("name", [name for name in FITTED if name != "GRUSeriesGenerator"])
def test_arrays_after_frames_are_told_as_scikit_learn_does(name, form):
    model = FITTED[name](form(NAMED), y_for(name))
    for nameless in (X, Sequences.from_list(X)):
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            methods_of(model)[0](nameless)
    if name == "SlidingWindows":  # which need no fit
        return
    for nameless in (X, Sequences.from_list(X)):
        model = FITTED[name](nameless, y_for(name))
        assert not hasattr(model, "feature_names_in_")
        with pytest.warns(UserWarning, match="was fitted without feature names"):
            methods_of(model)[0](form(NAMED))


@pytest.mark.parametrize(
    "step", [SequenceScaler(), SequenceImputer(), FourierTime(), Difference(), Fold()]
)
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in FORMS for b in FORMS])
def test_names_are_compared_at_the_door_of_a_pipeline(step, first, second):
    y = targets_of("Classifier")
    model = make_pipeline(clone(step), small("GRU", "Classifier"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(first(NAMED), y).predict(second(NAMED))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(second(SWAPPED))


def test_an_early_stop_and_a_search_of_named_sequences_are_quiet():
    named, y = sequences(NAMED), targets_of("Classifier")
    model = small("GRU", "Classifier", early_stopping=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(named, y)
        cross_val_score(model, named, y, cv=2, error_score="raise")
        permutation_importance(model, named, y, n_repeats=1)


def test_names_in_a_file_of_before_they_were_compared():
    model = small("GRU", "Classifier").fit(sequences(NAMED), targets_of("Classifier"))
    plain = model._reader.to_dict()
    assert plain["feature_names"] == ["pulse", "pressure"]
    assert Reader.from_dict({**plain, "feature_names": None}) == model._reader


@pytest.mark.parametrize("name", FITTED)
def test_frames_of_one_list_must_agree(name):
    mixed = [*NAMED[:-1], SWAPPED[-1]]
    fit = FITTED[name] if name != "SlidingWindows" else lambda X, y: SlidingWindows(2).transform(X)
    with pytest.raises(ValueError, match=r"frame 23 has .*pressure.*frame 0 has .*pulse"):
        fit(mixed, y_for(name))


def test_numbered_columns_are_no_names():
    numbered = [pd.DataFrame(x) for x in X]
    others = [pd.DataFrame(x, columns=[7, 3]) for x in X]
    model = small("GRU", "Classifier").fit(numbered, targets_of("Classifier"))
    np.testing.assert_array_equal(model.predict(others), model.predict(X))


@pytest.mark.parametrize("form", ["rows", list, sequences])
def test_validation_data_are_compared_with_this_fit(form):
    if form == "rows":
        data, other = WIDE, WIDE[list("bacdef")]
    else:
        data, other = form(NAMED), form(SWAPPED)
    y = targets_of("Classifier")
    model = small("GRU", "Classifier")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(data, y, validation_data=(data, y))
        model.fit(other, y, validation_data=(other, y))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.fit(data, y, validation_data=(other, y))


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_one_sequence_as_an_array_is_answered_with_the_remedy(cell, task):
    dense = np.random.RandomState(0).randn(24, 5, 3)
    listed = list(dense)
    for data in (dense, listed):
        model = small(cell, task).fit(data, targets_of(task, dense))
        for one in (dense[0], pd.DataFrame(dense[0])):
            with pytest.raises(ValueError, match=r"one sequence of 5 steps, pass \[X\]"):
                model.predict(one)
        model.predict([dense[0]])
    if task in ("Classifier", "Regressor"):
        flat = dense.reshape(24, -1)
        model = small(cell, task, step_features=3).fit(flat, targets_of(task, dense))
        with pytest.raises(ValueError, match=r"pass X.reshape\(1, -1\)"):
            model.predict(dense[0])


@pytest.mark.parametrize("sentence", ["the cat", ["the cat", "a dog"], [["the"], ["a", "dog"]]])
@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_text_as_X_is_answered_with_the_encoder(cell, task, sentence):
    y = targets_of(task, [np.zeros((1, 1)), np.zeros((2, 1))])
    for options in ({}, {"embedding_dim": 2}):
        with pytest.raises((TypeError, ValueError), match="TokenEncoder"):
            small(cell, task, **options).fit(sentence, y)


@pytest.mark.parametrize(
    "wrong, right",
    [
        ("learning_rates_init", "learning_rate_init"),
        ("hiden_size", "hidden_size"),
        ("batchsize", "batch_size"),
        ("maxiter", "max_iter"),
    ],
)
@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_an_unknown_parameter_is_answered_with_the_nearest(cell, task, wrong, right):
    model = small(cell, task)
    with pytest.raises(ValueError, match=f"did you mean '{right}'"):
        model.set_params(**{wrong: 1, "alpha": 0.7})
    assert model.alpha != 0.7  # nothing was set


def test_parameters_inside_objects():
    model = small("GRU", "Classifier", solver="adam")
    with pytest.raises(ValueError, match=r"solver='adam' has no parameters inside.*SGD\(\)"):
        model.set_params(solver__momentum=0.5)
    with pytest.raises(ValueError, match=r"learning_rate=.*Cosine\(\)"):
        model.set_params(learning_rate__final=0.5)
    with pytest.raises(ValueError, match="for SGD; did you mean 'momentum'"):
        model.set_params(solver=SGD(), solver__momentums=0.5)
    model.set_params(solver=SGD(), solver__momentum=0.5, learning_rate=Cosine())
    assert model.solver.momentum == 0.5
    assert model.set_params(learning_rate__final=0.25) is model
    assert model.learning_rate.final == 0.25
    with pytest.raises(ValueError, match="Invalid parameter 'x'"):
        model.set_params(x=1)
    assert model.set_params(solver=Adam()).solver == Adam()


def test_windows_of_a_frame_know_its_columns():
    frame = NAMED[0]
    windows = SlidingWindows(2).fit(frame)
    for method in (windows.transform, windows.pairs, windows.groups):
        method(frame)
        with pytest.raises(ValueError, match="must be in the same order"):
            method(SWAPPED[0])
    assert SlidingWindows(2).transform(SWAPPED[0]).shape == (len(frame) - 1, 2, 2)
    assert not hasattr(windows.fit(frame.to_numpy()), "feature_names_in_")


@pytest.mark.parametrize("room", [rnnkit, rnnkit.preprocessing])
def test_no_parameter_is_called_like_a_method(room):
    """scikit-learn asks of an object what it can do by whether it has such an attribute."""
    methods = {"decision_function", "fit", "fit_predict", "fit_transform", "forecast", "get_params"}
    methods |= {"inverse_transform", "partial_fit", "predict", "predict_log_proba"}
    methods |= {"predict_proba", "sample", "score", "score_samples", "set_params", "split"}
    methods |= {"stream", "transform", "update"}
    kinds = [value for value in vars(room).values() if hasattr(value, "_get_param_names")]
    assert len(kinds) > 5
    for kind in kinds:
        assert not methods & set(kind._get_param_names()), kind
