"""Columns of labels beside numbers: one answer for every form of X and order of labels."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from tolerances import assert_close

import rnnkit
from rnnkit import RecurrentFeatures, Sequences
from rnnkit.estimators.reader import Reader
from rnnkit.preprocessing import Padder, SequenceScaler

RNG = np.random.RandomState(0)
DAYS = np.array(["mon", "tue", "wed"])
LENGTHS = RNG.randint(2, 6, 40)
LENGTHS[:2] = 5
COLORS = np.array(["red", "blue"])
FRAMES = [
    pd.DataFrame(
        {
            "day": DAYS[RNG.randint(0, 3, t)],
            "v": RNG.randn(t),
            "color": COLORS[RNG.randint(0, 2, t)],
        }
    )
    for t in LENGTHS
]
Y = np.array([int((f.v.iloc[-1] > 0) != (f.day.iloc[-1] == "mon")) for f in FRAMES])
CATEGORICAL = {"embedding_dim": (3, 2), "max_iter": 3}
LONG = pd.concat(FRAMES, keys=range(len(FRAMES)), names=["id", "t"]).reset_index()


def arrays(frames=FRAMES):
    return [frame.to_numpy(dtype=object) for frame in frames]


def objects():
    X = np.empty(len(FRAMES), dtype=object)
    X[:] = arrays()
    return X


def categories_of_pandas(frames, order):
    return [
        frame.assign(day=pd.Categorical(frame.day, categories=order), color=frame.color)
        for frame in frames
    ]


def polars_frames(dtype):
    polars = pytest.importorskip("polars")
    types = {"Categorical": polars.Categorical, "String": polars.String,
             "Enum": polars.Enum(["wed", "mon", "tue"])}  # fmt: skip
    return [
        polars.from_pandas(frame).with_columns(polars.col("day").cast(types[dtype]))
        for frame in FRAMES
    ]


def arrow_tables(encoded):
    pyarrow = pytest.importorskip("pyarrow")
    tables = [pyarrow.Table.from_pandas(frame) for frame in FRAMES]
    if not encoded:
        return tables
    return [t.set_column(0, "day", t.column("day").dictionary_encode()) for t in tables]


FORMS = {
    "pandas": lambda: FRAMES,
    "pandas, categories": lambda: categories_of_pandas(FRAMES, ["wed", "mon", "sun", "tue"]),
    "pandas, string": lambda: [f.astype({"day": "string"}) for f in FRAMES],
    "pandas, objects": lambda: [f.astype({"day": object}) for f in FRAMES],
    "arrays": arrays,
    "object array": objects,
    "lists": lambda: [array.tolist() for array in arrays()],
    "polars, String": lambda: polars_frames("String"),
    "polars, Categorical": lambda: polars_frames("Categorical"),
    "polars, Enum": lambda: polars_frames("Enum"),
    "arrow": lambda: arrow_tables(False),
    "arrow, dictionary": lambda: arrow_tables(True),
    "Sequences": lambda: Sequences.from_frame(LONG, "id", "t"),
}
NAMED = [name for name in FORMS if name not in ("arrays", "object array", "lists")]


def answers(fitted, X):
    return fitted.predict_proba(X).tobytes()


REFERENCE = {}


def reference(cell):
    if cell not in REFERENCE:
        fitted = estimator(cell, "Classifier", categorical_features=[0, 2], **CATEGORICAL)
        REFERENCE[cell] = fitted.fit(arrays(), Y)
    return REFERENCE[cell]


@pytest.mark.parametrize("name", FORMS)
def test_all_forms_have_one_answer(name):
    X, right = FORMS[name](), answers(reference("GRU"), arrays())
    chosen = [[0, 2], "from_dtype", (-1, 0)] + [["color", "day"], [0, "color"]] * (name in NAMED)
    for columns in chosen:
        fitted = estimator("GRU", "Classifier", categorical_features=columns, **CATEGORICAL)
        assert answers(fitted.fit(X, Y), X) == right
    other = reference("GRU")
    assert answers(other, X) == right
    assert answers(pickle.loads(pickle.dumps(fitted)), X) == right
    assert answers(clone(fitted).fit(X, Y), X) == right


def test_the_padded_array_has_the_same_answer():
    padded = np.full((len(FRAMES), 5, 3), None, dtype=object)
    for sequence, array in zip(padded, arrays()):
        sequence[: len(array)] = array
    fitted = estimator("GRU", "Classifier", categorical_features=[0, 2], **CATEGORICAL)
    fitted.fit(padded, Y, lengths=LENGTHS)
    assert fitted.predict_proba(padded, lengths=LENGTHS).tobytes() == answers(
        reference("GRU"), arrays()
    )


def test_rows_of_labels():
    rows = np.array([["a", "b"], ["c", "a"], ["b", "b"], ["a", "c"]] * 5)
    y = [0, 1, 0, 1] * 5
    frame = pd.DataFrame(rows, columns=["t0", "t1"])
    results = []
    for X in (rows, frame, rows.tolist(), rows[:, :, None], frame.astype("category")):
        fitted = estimator("LSTM", "Classifier", categorical_features=[0], embedding_dim=3,
                           max_iter=2)  # fmt: skip
        results.append(fitted.fit(X, y).predict_proba(X).tobytes())
    assert len(set(results)) == 1
    mixed = pd.DataFrame({"d0": list("abab"), "v0": [1.0, 2, 3, 4], "d1": list("bbaa"), "v1": 0.5})
    for columns in ("from_dtype", ["d0"], ["d0", "d1"], [0]):
        fitted = estimator("GRU", "Classifier", categorical_features=columns, embedding_dim=2,
                           step_features=2, max_iter=2).fit(mixed, [0, 1, 0, 1])  # fmt: skip
        assert fitted.weights_["embedding.weight_0"].shape == (3, 2)
        assert fitted.weights_["rnn.weight_ih_l0"].shape[1] == 3


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["Regressor", "SequenceTagger", "SequenceRegressor",
                                  "SequenceLabeller"])  # fmt: skip
def test_every_task(cell, task):
    y = {
        "Regressor": [f.v.sum() for f in FRAMES],
        "SequenceTagger": [f.color.tolist() for f in FRAMES],
        "SequenceRegressor": [f.v.to_numpy() for f in FRAMES],
        "SequenceLabeller": [f.color.tolist()[:1] for f in FRAMES],
    }[task]
    results = []
    for X in (FRAMES, arrays(), Sequences.from_frame(LONG, "id", "t")):
        for device in ("cpu", "reference"):
            fitted = estimator(cell, task, categorical_features="from_dtype", device=device,
                               **CATEGORICAL).fit(X, y)  # fmt: skip
            results.append(np.concatenate([np.ravel(p) for p in fitted.hidden_states(X)]))
    np.testing.assert_array_equal(results[2], results[0])
    np.testing.assert_array_equal(results[4], results[0])
    assert_close(results[1], results[0], "float32", 2**30)


@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_takes_labels(cell):
    fitted = reference(cell)
    stream = pickle.loads(pickle.dumps(fitted.stream()))
    for row in arrays()[0]:
        label = stream.step(row.tolist())
    assert label == fitted.predict(FRAMES[:1])[0]
    np.testing.assert_array_equal(stream.predict_proba(), fitted.predict_proba(FRAMES[:1])[0])


def test_unseen_and_missing_labels_are_the_unknown():
    fitted = reference("GRU")
    probabilities = []
    for value in ("sun", None, np.nan, pd.NA):
        array = arrays()[0].copy()
        array[:, 0] = value
        probabilities.append(fitted.predict_proba([array]).tobytes())
    assert len(set(probabilities)) == 1
    assert fitted._reader.n_tokens == (4, 3)
    with_gaps = [array.copy() for array in arrays()]
    with_gaps[0][0, 0] = None
    trained = clone(fitted).fit(with_gaps, Y)
    assert trained._reader.labels == fitted._reader.labels == (tuple(DAYS), ("blue", "red"))
    assert trained.weights_["embedding.weight_0"][0].any()
    assert not fitted.weights_["embedding.weight_0"][0].any()


def test_codes_of_another_frame_mean_its_own_labels():
    fitted = reference("GRU")
    part = LONG[(LONG.id < 6) & (LONG.day != "mon")]
    X = Sequences.from_frame(part, "id", "t")
    assert X.categories[0] == ("tue", "wed")
    frames = [frame[["day", "v", "color"]] for _, frame in part.groupby("id", sort=False)]
    assert answers(fitted, X) == answers(fitted, frames)
    shuffled = Sequences.from_frame(part, "id", "t", columns=["color", "v", "day"])
    by_frame = estimator("GRU", "Classifier", categorical_features=["day", "color"], **CATEGORICAL)
    by_frame.fit(Sequences.from_frame(LONG, "id", "t"), Y)
    with pytest.raises(ValueError, match="columns of fit in the same order"):
        by_frame.predict(shuffled)


@pytest.mark.parametrize(
    "values, labels",
    [
        ([3, -1, 1000, 3], (-1, 3, 1000)),
        ([1.5, 2.0, 1.5, np.nan], (1.5, 2.0)),
        ([True, False, True, True], (False, True)),
        (pd.cut([0.5, 1.5, 0.5, 1.5], [0, 1, 2]), ("(0, 1]", "(1, 2]")),
        (pd.to_datetime(["2020-01-01", "2020-01-02"] * 2),
         ("2020-01-01 00:00:00", "2020-01-02 00:00:00")),
    ],
)  # fmt: skip
def test_labels_of_any_kind(values, labels):
    frame = pd.DataFrame({"c": pd.Categorical(values), "v": [0.0, 1, 2, 3]})
    if isinstance(values, list) and isinstance(values[0], bool):
        frame["c"] = values
    fitted = estimator("GRU", "Classifier", categorical_features=["c"], embedding_dim=2, max_iter=2)
    fitted.fit([frame, frame[::-1]], [0, 1])
    assert fitted._reader.labels == (labels,)
    plain = json.loads(json.dumps(fitted._reader.to_dict()))
    assert Reader.from_dict(plain) == fitted._reader
    assert fitted.predict([frame.iloc[:2]]).shape == (1,)


def test_ids_in_frames_stay_ids():
    frames = [
        pd.DataFrame({"k": [3, 1], "v": [0.5, 1.0]}),
        pd.DataFrame({"k": [0, 2], "v": [0.0, 1]}),
    ]
    fitted = estimator("GRU", "Classifier", categorical_features=["k"], embedding_dim=2, max_iter=2)
    fitted.fit(frames, [0, 1])
    assert fitted.weights_["embedding.weight_0"].shape == (4, 2)
    gap = pd.DataFrame({"k": [3, None], "v": [0.5, 1.0]})
    zero = pd.DataFrame({"k": [3, 0], "v": [0.5, 1.0]})
    assert answers(fitted, [gap]) == answers(fitted, [zero])
    assert answers(fitted, [gap.to_numpy()]) == answers(fitted, [zero])
    with pytest.raises(ValueError, match="must hold ids in column 'k', as in fit, got labels such"):
        fitted.predict([pd.DataFrame({"k": ["a", "b"], "v": [0.5, 1.0]})])


def test_in_searches_and_features():
    fresh = estimator("GRU", "Classifier", categorical_features="from_dtype", **CATEGORICAL)
    for X in (FRAMES, objects(), Sequences.from_frame(LONG, "id", "t")):
        search = GridSearchCV(fresh, {"hidden_size": [3, 4]}, cv=2).fit(X, Y)
        assert search.predict(X).shape == (40,)
        assert np.isfinite(cross_val_score(fresh, X, Y, cv=2)).all()
        assert RecurrentFeatures(fresh).fit(X, Y).transform(X).shape == (40, 8)
    warm = clone(fresh).set_params(warm_start=True).fit(FRAMES[:30], Y[:30])
    assert warm.fit(FRAMES, Y)._reader.labels[0] == tuple(DAYS)
    parts = clone(fresh).partial_fit(FRAMES, Y, classes=[0, 1]).partial_fit(arrays(), Y)
    assert parts.predict(FRAMES).shape == (40,)


def test_a_label_that_needs_both_is_learnt():
    rng = np.random.RandomState(1)
    frames = [
        pd.DataFrame({"sign": np.array(["same", "other"])[rng.randint(0, 2, t)], "v": rng.randn(t)})
        for t in rng.randint(2, 6, 200)
    ]
    y = [(f.v.iloc[-1] > 0) != (f.sign.iloc[-1] == "other") for f in frames]
    both = estimator("LSTM", "Classifier", categorical_features="from_dtype", embedding_dim=3,
                     max_iter=60).fit(frames[:120], y[:120])  # fmt: skip
    assert both.score(frames[120:], y[120:]) > 0.8


def test_text_without_a_choice_says_which_column_and_what_to_do():
    fresh = estimator("GRU", "Classifier")
    for X in (FRAMES, Sequences.from_frame(LONG, "id", "t")):
        with pytest.raises(ValueError, match=r"column 'day' holds .*categorical_features"):
            fresh.fit(X, Y)
    for X in (arrays(), objects()):
        with pytest.raises(ValueError, match=r"string .* feature 0.*categorical_features"):
            fresh.fit(X, Y)
    with pytest.raises(ValueError, match="column 'day' holds labels"):
        Padder().fit_transform(Sequences.from_frame(LONG, "id", "t"))


@pytest.mark.parametrize(
    "columns, message",
    [
        (["dya"], r"names the column 'dya', which X does not have; its columns are \['day'"),
        ([7], "names the column 7, but a step of X has 3"),
        (["day", 0], "names a column twice"),
        (["day"], "column 'color' holds text"),
        ("auto", "categorical_features"),
    ],
)
def test_wrong_choices_are_refused(columns, message):
    fresh = estimator("GRU", "Classifier", categorical_features=columns, **CATEGORICAL)
    with pytest.raises(ValueError, match=message):
        fresh.fit(FRAMES, Y)
    with pytest.raises(ValueError, match="its columns have no names"):
        clone(fresh).set_params(categorical_features=["day"]).fit(arrays(), Y)


def test_other_values_at_predict_are_refused():
    fitted = reference("GRU")
    with pytest.raises(ValueError, match="must hold labels in column 'day', such as"):
        fitted.predict([FRAMES[0].assign(day=1)])
    with pytest.raises(ValueError, match="must hold labels such as 'mon' in column 0"):
        fitted.predict([np.zeros((2, 3))])
    with pytest.raises(ValueError, match="2 features, but GRUClassifier is expecting 3"):
        fitted.predict([FRAMES[0][["day", "v"]]])
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict([FRAMES[0].assign(v=np.nan)])
    with pytest.raises(ValueError, match="n_tokens must be at least 4 for the 3 categories"):
        clone(fitted).set_params(n_tokens=3).fit(FRAMES, Y)


def test_labels_of_sequences_reach_a_transformer():
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    columns = ColumnTransformer([("day", OneHotEncoder(), ["day"]), ("v", "passthrough", ["v"])])
    X = Sequences.from_frame(LONG, "id", "t")
    result = SequenceScaler(columns).fit_transform(X)
    assert isinstance(result, Sequences)
    right = SequenceScaler(columns).fit_transform(FRAMES)
    np.testing.assert_array_equal(result.values, np.concatenate(right))
    assert rnnkit.LSTMClassifier(3, max_iter=2).fit(result, Y).predict(right).shape == (40,)
