"""Static columns as the initial state: recognised at fit, named, and refused where they change."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from rnnkit import RecurrentFeatures, Sequences
from rnnkit.estimators.reader import Reader

RNG = np.random.RandomState(0)
LENGTHS = RNG.randint(1, 6, 40)
LENGTHS[:2] = 5
FRAMES = [
    pd.DataFrame(
        {
            "age": np.full(t, RNG.randn()),
            "v": RNG.randn(t),
            "ward": [["a", "b", "c"][RNG.randint(3)]] * t,
            "w": RNG.randn(t),
        }
    )
    for t in LENGTHS
]
Y = np.array([float(f.age[0] * f.v.sum() + (f.ward[0] == "a")) for f in FRAMES])
OPTIONS = {"static": "state", "categorical_features": [2], "embedding_dim": 2, "max_iter": 3}
LONG = pd.concat(FRAMES, keys=range(len(FRAMES)), names=["id", "t"]).reset_index()


def numbers(frames=FRAMES):
    return [frame[["age", "v", "w"]].to_numpy() for frame in frames]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("both", [False, True])
def test_every_form_recognises_the_same(cell, both):
    results = []
    objects = [frame.to_numpy(dtype=object) for frame in FRAMES]
    for X in (FRAMES, objects, Sequences.from_frame(LONG, "id", "t")):
        for named in (None, [0, 2], [-2, 0]) + ((("ward", "age"),) if X is not objects else ()):
            fitted = estimator(
                cell, "Regressor", static_features=named, bidirectional=both, **OPTIONS
            )
            results.append(fitted.fit(X, Y).predict(X))
            assert fitted._reader.static_columns == (0, 2)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    n = (2 if cell == "LSTM" else 1) * (2 if both else 1) * 8
    assert fitted.weights_["static.weight"].shape == (n, 3)
    assert fitted.weights_["rnn.weight_ih_l0"].shape[1] == 2
    assert fitted.weights_["embedding.weight_0"].any()


def test_neither_threads_nor_neighbours_nor_copies_change_a_bit():
    fitted = estimator("LSTM", "Regressor", static="state", max_iter=3).fit(numbers(), Y)
    right = fitted.predict(numbers())
    np.testing.assert_array_equal(np.ravel([fitted.predict([x]) for x in numbers()]), right)
    again = clone(fitted).fit(numbers(), Y)
    loaded = pickle.loads(pickle.dumps(fitted))
    for same in (again, loaded):
        np.testing.assert_array_equal(same.predict(numbers()), right)
    plain = json.loads(json.dumps(fitted._reader.to_dict()))
    assert Reader.from_dict(plain) == fitted._reader
    padded = np.zeros((40, 5, 3))
    for row, x in zip(padded, numbers()):
        row[: len(x)] = x
    np.testing.assert_array_equal(fitted.predict(padded, lengths=LENGTHS), right)
    rows = fitted.predict([x.astype("f4") for x in numbers()])
    np.testing.assert_allclose(rows, right, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["Classifier", "SequenceTagger", "SequenceRegressor",
                                  "SequenceLabeller"])  # fmt: skip
def test_every_task_and_method(cell, task):
    y = {
        "Classifier": (Y > 0).astype(int),
        "SequenceTagger": [(f.v > 0).astype(int).tolist() for f in FRAMES],
        "SequenceRegressor": [f.v.to_numpy() for f in FRAMES],
        "SequenceLabeller": [["a"], ["b"]] * 20,
    }[task]
    for device in ("cpu", "reference"):
        fitted = estimator(cell, task, device=device, **OPTIONS).fit(FRAMES, y)
        assert len(fitted.hidden_states(FRAMES)) == 40
        assert len(next(iter(fitted.gate_activations(FRAMES).values()))) == 40
    assert fitted.partial_fit(FRAMES, y).predict(FRAMES).shape == (40,)
    if task == "SequenceTagger":
        stream = fitted.stream()
        tags = [stream.step(row) for row in FRAMES[0].to_numpy(dtype=object)]
        assert tags == fitted.predict(FRAMES[:1])[0].tolist()


@pytest.mark.parametrize(
    "options",
    [{"bptt_steps": 2}, {"solver": "lbfgs"}, {"early_stopping": True}, {"warm_start": True},
     {"dropout": 0.2, "input_dropout": 0.2, "recurrent_dropout": 0.2, "input_noise": 0.1}],
)  # fmt: skip
def test_beside_other_options(options):
    fitted = estimator("LSTM", "Regressor", **{**OPTIONS, **options}).fit(FRAMES, Y)
    assert np.isfinite(fitted.fit(FRAMES, Y).predict(FRAMES)).all()
    assert RecurrentFeatures(fitted).fit(FRAMES, Y).transform(FRAMES).shape == (40, 8)


def test_a_search_over_both_ways():
    fresh = estimator("GRU", "Regressor", max_iter=2)
    search = GridSearchCV(fresh, {"static": ["steps", "state"]}, cv=2).fit(numbers(), Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_what_the_state_alone_tells_is_learnt():
    rng = np.random.RandomState(1)
    X = [np.column_stack([np.full(8, rng.randn()), rng.randn(8)]) for _ in range(200)]
    y = [x[0, 0] for x in X]
    fitted = estimator("GRU", "Regressor", static="state", max_iter=150).fit(X[:140], y[:140])
    assert fitted.score(X[140:], y[140:]) > 0.8


def test_columns_that_change_are_refused():
    fitted = estimator("GRU", "Regressor", **OPTIONS).fit(FRAMES, Y)
    changed = FRAMES[0].assign(age=np.arange(len(FRAMES[0])))
    with pytest.raises(ValueError, match="static column 'age'; it changes in sequence 1"):
        fitted.predict([FRAMES[1], changed])
    assert fitted.predict([FRAMES[0].iloc[:1]]).shape == (1,)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"static_features": [1]}, "constant within every sequence in the static column 1"),
        ({"static_features": [3]}, "names the column 3, but a step of X has 3"),
        ({"static_features": ["age"]}, "'age', which X does not have; they have no names"),
        ({"static_features": [0, -3]}, "at least one column, none twice"),
        ({"static_features": []}, "at least one column, none twice"),
        ({"static_features": [True]}, "must hold positions or names, got True"),
        ({"static": "steps", "static_features": [0]}, "must be None without static='state'"),
        ({"static": "both"}, "static"),
    ],
)
def test_wrong_choices_are_refused(parameters, message):
    fresh = estimator("GRU", "Regressor", **{"static": "state", **parameters})
    with pytest.raises(ValueError, match=message):
        fresh.fit(numbers(), Y)
    assert not hasattr(fresh, "network_")


def test_data_without_or_with_nothing_but_static_columns_are_refused():
    fresh = estimator("GRU", "Regressor", static="state")
    with pytest.raises(ValueError, match="found no column of X that is constant"):
        fresh.fit([x[:, 1:] for x in numbers()], Y)
    with pytest.raises(ValueError, match="needs a column of X that changes"):
        fresh.fit([x[:, :1] for x in numbers()], Y)
    loop = estimator("GRU", "SequenceRegressor", static="state", max_iter=2)
    loop.fit(numbers(), numbers())
    with pytest.raises(ValueError, match="forecast needs static='steps'"):
        loop.forecast(numbers(), 2)
