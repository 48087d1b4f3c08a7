"""What all transformers of steps promise, in every form of input and for every number."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import rnnkit
from rnnkit import GRUClassifier, preprocessing
from rnnkit.preprocessing import (
    CalendarFeatures,
    Difference,
    Fold,
    FourierTime,
    Padder,
    SequenceImputer,
    SequenceScaler,
    SequenceSummary,
    TokenEncoder,
)
from rnnkit.sequences import Sequences

TRANSFORMERS = {
    "Fold": Fold(2),
    "Fold pads the end": Fold(3, remainder="pad_end", fill="edge"),
    "Fold drops": Fold(2, remainder="drop"),
    "Difference": Difference(),
    "Difference keeps": Difference(2, start="keep"),
    "Difference drops": Difference(start="drop"),
    "FourierTime": FourierTime(4, 2),
    "FourierTime of a feature": FourierTime((4, 6.5), time=0),
    "SequenceImputer": SequenceImputer(add_elapsed=True),
}
WIDE = {k: v for k, v in TRANSFORMERS.items() if k != "FourierTime of a feature"}


def expected_failures(estimator):
    reason = "a list of sequences is given back as a list, where the check wants an array"
    return {"check_transformer_data_not_an_array": reason}


@parametrize_with_checks(
    [Fold(), Fold(3, remainder="pad_end", fill="edge"), Difference(), Difference(1, start="keep"),
     FourierTime(), FourierTime((4, 6.5), time=0, keep_time=True)],
    expected_failed_checks=expected_failures,
)  # fmt: skip
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def ragged(dtype=np.float64, n_features=2, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randn(t, n_features).astype(dtype) for t in (3, 7, 4, 2, 5)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_every_form_gives_the_same_steps(name, dtype):
    X = ragged(dtype)
    transformer = clone(TRANSFORMERS[name])
    expected = transformer.fit_transform(X)
    assert isinstance(expected, list)
    assert all(x.dtype == dtype for x in expected)
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    found = clone(transformer).fit_transform(objects)
    assert found.dtype == object
    for got, x in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, x)
    sequences = Sequences.from_list(X, ids=list("abcde"))
    found = clone(transformer).fit_transform(sequences)
    assert isinstance(found, Sequences)
    assert found.ids.tolist() == list("abcde")
    for got, x in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, x)
    one_by_one = [clone(transformer).fit(X).transform([x])[0] for x in X]
    for got, x in zip(one_by_one, expected, strict=True):
        np.testing.assert_array_equal(got, x)
    lengths = [len(x) for x in X]
    padded = np.full((5, 7, 2), 99, dtype)
    for row, x in zip(padded, X):
        row[: len(x)] = x
    dense = clone(transformer).fit_transform(padded, lengths=lengths)
    assert dense.dtype == dtype
    for got, x in zip(dense, expected, strict=True):
        np.testing.assert_array_equal(got[: len(x)], x)
        assert (got[len(x) :] == 0).all()


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_rows_are_sequences_too(name):
    X = np.random.RandomState(0).randn(4, 6, 2)
    expected = clone(TRANSFORMERS[name]).fit_transform(X)
    rows = clone(TRANSFORMERS[name]).set_params(step_features=2)
    found = rows.fit_transform(X.reshape(4, 12))
    np.testing.assert_array_equal(found, expected.reshape(4, -1))
    assert len(rows.get_feature_names_out()) == found.shape[1]
    assert len(set(rows.get_feature_names_out())) == found.shape[1]
    frame = pd.DataFrame(X.reshape(4, 12), columns=[f"c{i}" for i in range(12)])
    framed = clone(rows).set_output(transform="pandas").fit_transform(frame)
    np.testing.assert_array_equal(framed.to_numpy(), found)
    steps = clone(TRANSFORMERS[name]).fit(X)
    assert len(steps.get_feature_names_out()) == expected.shape[2]


@pytest.mark.parametrize("name", WIDE)
def test_sequences_of_one_dimension(name):
    flat = [x[:, 0] for x in ragged()]
    column = [x[:, :1] for x in ragged()]
    transformer = clone(WIDE[name])
    for got, x in zip(transformer.fit_transform(flat), clone(transformer).fit_transform(column)):
        np.testing.assert_array_equal(got.reshape(x.shape), x)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_it_is_what_it_was_fitted_as(name, tmp_path):
    """Parameters set afterwards change nothing, copies answer alike, nothing unfitted answers."""
    X = ragged()
    transformer = clone(TRANSFORMERS[name])
    with pytest.raises(NotFittedError):
        transformer.transform(X)
    with pytest.raises(NotFittedError):
        transformer.get_feature_names_out()
    expected = transformer.fit_transform(X)
    for changed in ({"k": 5}, {"lag": 3}, {"period": 9}, {"strategy": "mean"}):
        if changed.keys() <= transformer.get_params().keys():
            transformer.set_params(**changed)
    for again in (transformer, pickle.loads(pickle.dumps(transformer))):
        for got, x in zip(again.transform(X), expected, strict=True):
            np.testing.assert_array_equal(got, x)
    with pytest.raises(ValueError, match=r"X has 3 features, but \w+ is expecting 2 features"):
        transformer.transform(ragged(n_features=3))


ROWS = np.random.RandomState(0).randn(4, 6)
WORDS = [["An", "ant", "5"], ["the", "Ant"]]
DAYS = pd.Series(pd.date_range("2024", periods=9))
# Each of `rnnkit.preprocessing` but SlidingWindows, which learns nothing and needs no fit.
FITTED = {
    "CalendarFeatures": (
        CalendarFeatures(("hour", "year")),
        pd.Series(pd.date_range("2024", periods=9)),
    ),
    "Difference": (Difference(2, start="keep"), ragged()),
    "Fold": (Fold(2, remainder="drop"), ragged()),
    "Fold of rows": (Fold(2, step_features=3), ROWS),
    "FourierTime": (FourierTime((4, 6.5), keep_time=True, time=0), ragged()),
    "Padder": (Padder(4, fill=-1.0, side="start", overlong="cut", flatten=True), ragged()),
    "Padder of the longest": (Padder(), ragged()),
    "SequenceImputer": (SequenceImputer(add_elapsed=True), ragged()),
    "SequenceScaler": (SequenceScaler(), ragged()),
    "SequenceScaler of rows": (SequenceScaler(step_features=3), ROWS),
    "SequenceSummary": (SequenceSummary(["last", "max"], n_segments=2), ragged()),
    "SequenceSummary of rows": (SequenceSummary(["mean"], step_features=2), ROWS),
    "TokenEncoder": (
        TokenEncoder(
            ("word", "shape", "affixes", "chars", "spelling"), affix_lengths=[1, 2], n_chars=2
        ),
        WORDS,
    ),
    "TokenEncoder of lower case": (TokenEncoder(lowercase=True, min_frequency=2), WORDS),
}


def test_every_transformer_is_swept():
    names = {name.split()[0] for name in FITTED}
    assert names == set(preprocessing.__all__) - {"SlidingWindows"}


def answers(transformer, X):
    """What a fitted transformer returns, of every kind that it has."""
    found = [*transformer.transform(X)]
    if hasattr(transformer, "get_feature_names_out"):
        found.append(transformer.get_feature_names_out())
    if hasattr(transformer, "inverse_transform"):
        found += [*transformer.inverse_transform(transformer.transform(X))]
    if hasattr(transformer, "embedding_init"):
        found.append(transformer.embedding_init({"Ant": [1.0], "ant": [2.0]}))
    return [np.asarray(part).tolist() for part in found]


@pytest.mark.parametrize("name", FITTED)
def test_no_parameter_set_afterwards_changes_an_answer(name, tmp_path):
    transformer, X = clone(FITTED[name][0]), FITTED[name][1]
    expected = answers(transformer.fit(X), X)
    rnnkit.save(transformer, tmp_path / "model")
    for again in (transformer, pickle.loads(pickle.dumps(transformer))):
        for parameter, value in again.get_params(deep=False).items():
            for other in (object(), not value, 7, "end", [3, "word"]):
                other = MinMaxScaler() if parameter == "scaler" else other
                again.set_params(**{parameter: other})
                np.testing.assert_equal(answers(again, X), expected)
    np.testing.assert_equal(answers(rnnkit.load(tmp_path / "model"), X), expected)


@pytest.mark.parametrize("name", FITTED)
def test_what_was_stored_before_parameters_were_remembered(name):
    transformer, X = clone(FITTED[name][0]), FITTED[name][1]
    expected = answers(transformer.fit(X), X)
    if name.split()[0] in ("Padder", "SequenceScaler", "TokenEncoder"):
        del transformer._fitted
        np.testing.assert_equal(answers(transformer, X), expected)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_in_a_pipeline_before_a_network(name):
    X = ragged() * 6
    y = ["a", "b", "a", "b", "a"] * 6
    network = GRUClassifier(3, max_iter=2, random_state=0)
    model = make_pipeline(clone(TRANSFORMERS[name]), SequenceScaler(StandardScaler()), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probabilities = model.fit(X, y).predict_proba(X)
    assert probabilities.shape == (30, 2)
    np.testing.assert_array_equal(model.predict_proba(X[3:4])[0], probabilities[3])
