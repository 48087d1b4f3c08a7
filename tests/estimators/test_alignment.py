"""Targets and weights that name their sequences must name them as X does, in every estimator."""

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator, ragged
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from rnnkit import TransformedTargetSequenceRegressor
from rnnkit.preprocessing import SequenceScaler
from rnnkit.sequences import Sequences

ARRAYS = ragged(24)
IDS = [f"p{(7 * i) % 24:02}" for i in range(24)]
X = Sequences.from_list(ARRAYS, ids=IDS)
TASKS = ("Classifier", "Regressor", "SequenceTagger", "SequenceRegressor", "SequenceLabeller")
EVERY = [("LSTM", task) for task in TASKS] + [(cell, "Classifier") for cell in CELLS]


def series_of(task):
    """Return targets as a pandas Series in the order of X."""
    targets = {
        "Classifier": lambda x: int(x[-1, 0] > 0),
        "Regressor": lambda x: float(x[-1, 0]),
        "SequenceTagger": lambda x: (x[:, 0] > 0).astype(int),
        "SequenceRegressor": lambda x: x[:, 0],
        "SequenceLabeller": lambda x: ["a", "b"][: 1 + (x[-1, 0] > 0)],
    }
    y = pd.Series([None] * len(X), index=IDS, dtype=object)
    for i, x in enumerate(ARRAYS):
        y.iloc[i] = targets[task](x)
    return y if task not in ("Classifier", "Regressor") else y.astype(type(y.iloc[0]))


def small(cell, task):
    return estimator(cell, task, hidden_size=3, max_iter=2)


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_every_method_refuses_another_order(cell, task):
    y = series_of(task)
    shuffled = y.sort_index()
    weights = pd.Series(1.0, index=shuffled.index)
    model = small(cell, task).fit(X, y)
    before = model.predict(ARRAYS[:3])
    calls = {
        "fit": lambda: model.fit(X, shuffled),
        "validation": lambda: model.fit(X, y, validation_data=(X, shuffled)),
        "weights": lambda: model.fit(X, y, sample_weight=weights),
        "score": lambda: model.score(X, shuffled),
        "weighted score": lambda: model.score(X, y, sample_weight=weights),
        "partial_fit": lambda: model.partial_fit(X, shuffled),
        "clone": lambda: small(cell, task).fit(X, shuffled),
    }
    for name, call in calls.items():
        argument = "sample_weight" if "weight" in name else "y"
        with pytest.raises(ValueError, match=f"index of {argument} has the ids of X in another"):
            call()
    for a, b in zip(before, model.predict(ARRAYS[:3])):
        np.testing.assert_array_equal(a, b)
    model.fit(X, shuffled.loc[X.ids], sample_weight=weights.loc[X.ids])
    assert model.score(X, shuffled.loc[X.ids]) == model.score(ARRAYS, y.to_numpy())


@pytest.mark.parametrize("step", [None, "pipeline", "search"])
@pytest.mark.parametrize("form", ["index", "ids"])
def test_a_regressor_of_transformed_targets_refuses_another_order(form, step):
    y, weights = series_of("SequenceRegressor"), pd.Series(1.0, index=IDS)
    other, others = y.sort_index(), weights.sort_index()
    if form == "ids":
        y, other = [Sequences.from_list(list(s), ids=list(s.index)) for s in (y, other)]
    inner, called = small("GRU", "SequenceRegressor"), ""
    if step == "pipeline":
        inner, called = make_pipeline(SequenceScaler(), inner), "grusequenceregressor__"
    if step == "search":
        inner = GridSearchCV(inner, {"hidden_size": [2]}, cv=2)
    model = TransformedTargetSequenceRegressor(inner, func=np.sinh, inverse_func=np.arcsinh)
    model.fit(X, y, **{f"{called}validation_data": (X, y)})
    before = vars(model).copy()
    calls = {
        "fit": lambda: model.fit(X, other),
        "validation": lambda: model.fit(X, y, **{f"{called}validation_data": (X, other)}),
        "pair": lambda: model.fit(X, y, **{f"{called}X_val": X, f"{called}y_val": other}),
        "score": lambda: model.score(X, other),
        "weighted score": lambda: model.score(X, y, sample_weight=others),
    }
    if step != "search":  # which splits weights before it looks at them
        calls["weights"] = lambda: model.fit(X, y, **{f"{called}sample_weight": others})
    for name, call in calls.items():
        argument = "sample_weight" if "weight" in name else "y"
        with pytest.raises(ValueError, match=f" of {argument} has the ids of X in another order"):
            call()
        assert vars(model) == before
    plain = TransformedTargetSequenceRegressor(inner, func=np.sinh, inverse_func=np.arcsinh)
    plain.fit(ARRAYS, list(series_of("SequenceRegressor")))
    assert model.score(X, y, sample_weight=weights) == plain.score(ARRAYS, list(y))


def test_ids_reach_the_estimator_through_a_pipeline():
    y = series_of("Classifier")
    pipeline = make_pipeline(SequenceScaler(), small("GRU", "Classifier")).fit(X, y)
    with pytest.raises(ValueError, match="another order"):
        pipeline.fit(X, y.sort_index())
    with pytest.raises(ValueError, match="another order"):
        pipeline.score(X, y.sort_index())


@pytest.mark.parametrize("index", ["ids", "counted"])
@pytest.mark.parametrize("ids", [IDS, np.arange(1, 25)])
def test_splits_and_searches_with_labelled_targets(ids, index):
    named = Sequences(X.values, X.offsets, ids)
    y = pd.Series(series_of("Classifier").to_numpy(), index=ids if index == "ids" else None)
    model = small("RNN", "Classifier")
    folds = {"groups": named.ids, "cv": GroupKFold(3), "error_score": "raise"}
    scores = cross_val_score(model, named, y, **folds)
    assert np.isfinite(scores).all()
    search = GridSearchCV(model, {"hidden_size": [2, 3]}, cv=2, error_score="raise", n_jobs=2)
    search.fit(named, y)
    np.testing.assert_array_equal(scores, cross_val_score(model, ARRAYS, y.to_numpy(), **folds))


def test_a_search_refuses_another_order():
    named = Sequences(X.values, X.offsets, np.arange(24)[::-1] * 10)
    y = pd.Series(series_of("Classifier").to_numpy(), index=named.ids).sort_index()
    with pytest.raises(ValueError, match=r"X\.ids"):
        cross_val_score(small("RNN", "Classifier"), named, y, error_score="raise")


def test_a_long_frame_goes_into_a_fit_as_it_is():
    frame = pd.DataFrame(X.values, columns=["u", "v"])
    frame["id"] = np.repeat(IDS, X.lengths)
    frame["t"] = np.concatenate([np.arange(n) for n in X.lengths])
    frame["label"] = np.repeat(series_of("Classifier").to_numpy(), X.lengths)
    frame["dose"] = frame["u"] * 2
    frame = frame.sample(frac=1, random_state=0)
    sequences, y = Sequences.from_frame(frame, "id", "t", ["u", "v"], target="label")
    one = small("RNN", "Classifier").fit(sequences, y)
    wrong = frame.groupby("id")["label"].first()
    with pytest.raises(ValueError, match="another order"):
        one.score(sequences, wrong)
    assert one.score(sequences, y) == one.score(sequences, wrong.loc[sequences.ids])
    sequences, y = Sequences.from_frame(frame, "id", "t", ["u", "v"], target="dose")
    assert np.isfinite(small("RNN", "SequenceRegressor").fit(sequences, y).score(sequences, y))


def steps_of(ids):
    """Return numbers for every step of X, under some ids in their order."""
    places = [IDS.index(name) for name in ids]
    return Sequences.from_list([ARRAYS[i][:, 0] for i in places], ids=ids)


def calls_with_what_belongs_to_sequences():
    """Give the name of an argument, and a call that takes it with ids of its own."""
    from rnnkit import GRUSeriesGenerator
    from rnnkit.inspection import ForecastDisplay, TaggingDisplay, TokenConfusionDisplay
    from rnnkit.preprocessing import Difference, SlidingWindows

    labels = lambda ids: [(y > 0).astype(int) for y in steps_of(ids)]
    named = lambda ids: Sequences.from_list(labels(ids), ids=ids)
    heads = lambda ids: Sequences.from_list([y[:1] * np.ones((1, 2)) for y in steps_of(ids)], ids)
    kinds = lambda ids: pd.Series([y[0] for y in labels(ids)], index=ids)
    tagger = small("GRU", "SequenceTagger").fit(X, labels(IDS))
    regressor = small("GRU", "SequenceRegressor").fit(X, steps_of(IDS))
    maker = GRUSeriesGenerator(3, max_iter=1, random_state=0).fit(X, kinds(IDS))
    difference = Difference().fit(X)
    return {
        "windows": ("y", lambda ids: SlidingWindows(2).pairs(X, steps_of(ids))),
        "difference": ("initial", lambda ids: difference.inverse_transform(X, initial=heads(ids))),
        "scaler": ("y", lambda ids: SequenceScaler().fit(X, kinds(ids))),
        "generator": ("y", lambda ids: maker.decision_function(X, kinds(ids))),
        "forecast": ("y", lambda ids: ForecastDisplay.from_estimator(regressor, X, steps_of(ids))),
        "tagging": ("y", lambda ids: TaggingDisplay.from_estimator(tagger, X, named(ids))),
        "confusion": ("y", lambda ids: TokenConfusionDisplay.from_estimator(tagger, X, named(ids))),
    }


def test_what_belongs_to_sequences_is_compared_outside_of_estimators_too():
    for argument, call in calls_with_what_belongs_to_sequences().values():
        with pytest.raises(ValueError, match=f" of {argument} has the ids of X in another order"):
            call(sorted(IDS))
        call(IDS)
