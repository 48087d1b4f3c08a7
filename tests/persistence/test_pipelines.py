"""Transformers of rnnkit, those of scikit-learn that pipelines are made of, and the pipelines."""

import json
import os
import subprocess
import sys
import warnings
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import safetensors
from persistence.same import differences
from persistence.test_files import words_of
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    LabelBinarizer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

import rnnkit
from rnnkit import training
from rnnkit.energy import DeepBeliefNetwork, DeepBoltzmannMachine, HopfieldNetwork
from rnnkit.persistence import catalogue
from rnnkit.preprocessing import (
    CalendarFeatures,
    Difference,
    Fold,
    FourierTime,
    Padder,
    SequenceImputer,
    SequenceScaler,
    SequenceSummary,
    SlidingWindows,
    TokenEncoder,
)

RNG = np.random.RandomState(0)
ROWS = RNG.uniform(0.5, 2, (40, 6))
HOLES = np.where(RNG.rand(40, 6) < 0.1, np.nan, ROWS)
LABELS = np.where(ROWS[:, 0] > 1.2, "up", "down")
NUMBERS = ROWS.sum(axis=1)
FRAME = pd.DataFrame(
    {"a": list("abcd") * 10, "b": [1, 2, 2, 2] * 10, "c": ROWS[:, 0], "d": ROWS[:, 1]}
)
FRAMES = [FRAME[["c", "d"]][:5], FRAME[["c", "d"]][5:12]]
DAYS = pd.DataFrame({"when": pd.date_range("2024-02-27", periods=9, freq="7h")})
RAGGED = [x[: 2 + i % 4].reshape(-1, 1) for i, x in enumerate(ROWS)]
WORDS = [["the", "cat", "sat"], ["a", "cat"], ["the", "\U0001f600", "mat."]] * 10


def network(kind="GRUClassifier", **parameters):
    settings = {"hidden_size": 3, "max_iter": 2, "random_state": 0, "learning_rate": "linear"}
    return getattr(rnnkit, kind)(**{**settings, **parameters})


# name → estimator, X, y, and what is asked of it
CASES = {
    **{
        f"{type(scaler).__name__} {i}": (scaler, ROWS, None)
        for i, scaler in enumerate(
            [
                Binarizer(threshold=1.0),
                FunctionTransformer(),
                KBinsDiscretizer(3, encode="onehot-dense"),
                KBinsDiscretizer(3, encode="ordinal", strategy="uniform"),
                MaxAbsScaler(),
                MinMaxScaler((-1, 1), clip=True),
                Normalizer("l1"),
                PCA(2),
                PCA(0.9, whiten=True, svd_solver="full"),
                PowerTransformer(),
                PowerTransformer("box-cox", standardize=False),
                QuantileTransformer(n_quantiles=7, output_distribution="normal"),
                RobustScaler(quantile_range=(10.0, 90.0)),
                StandardScaler(),
                StandardScaler(with_mean=False).set_output(transform="pandas"),
                TruncatedSVD(2, random_state=0),
                VarianceThreshold(0.1),
            ]
        )
    },
    "SimpleImputer": (SimpleImputer(), HOLES, None),
    "SimpleImputer, median, indicator": (
        SimpleImputer(strategy="median", add_indicator=True),
        HOLES,
        None,
    ),
    "MissingIndicator": (MissingIndicator(), HOLES, None),
    "SimpleImputer of text": (SimpleImputer(strategy="most_frequent"), FRAME[["a"]], None),
    "OneHotEncoder": (OneHotEncoder(sparse_output=False), FRAME[["a", "b"]], None),
    "OneHotEncoder, dropped": (
        OneHotEncoder(drop="first", dtype=np.float32),
        FRAME[["a", "b"]],
        None,
    ),
    "OneHotEncoder, infrequent": (
        OneHotEncoder(min_frequency=15, handle_unknown="infrequent_if_exist"),
        FRAME[["a", "b"]],
        None,
    ),
    "OrdinalEncoder": (OrdinalEncoder(), FRAME[["a", "b"]], None),
    "OrdinalEncoder, unknown": (
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=2),
        FRAME[["a", "b"]],
        None,
    ),
    "LabelEncoder": (LabelEncoder(), LABELS, None),
    "LabelBinarizer": (LabelBinarizer(), np.array(list("abcd") * 10), None),
    "ElasticNet": (ElasticNet(alpha=0.01), ROWS, NUMBERS),
    "Lasso": (Lasso(alpha=0.01), ROWS, NUMBERS),
    "LinearRegression": (LinearRegression(), ROWS, NUMBERS),
    "LogisticRegression": (LogisticRegression(), ROWS, LABELS),
    "Ridge": (Ridge(random_state=np.random.RandomState(3)), ROWS, NUMBERS),
    "RidgeClassifier": (RidgeClassifier(), ROWS, LABELS),
    "ColumnTransformer": (
        ColumnTransformer(
            [
                ("numbers", StandardScaler(), ["c", "d"]),
                ("text", OneHotEncoder(), ["a"]),
                ("none", "drop", [1]),
            ],
            remainder="passthrough",
        ),
        FRAME,
        None,
    ),
    "ColumnTransformer, scaled rest": (
        ColumnTransformer(
            [
                ("as it is", "passthrough", slice(0, 1)),
                ("mask", MinMaxScaler(), [False, True, False, False]),
            ],
            remainder=StandardScaler(),
        ).set_output(transform="pandas"),
        FRAME,
        None,
    ),
    "FeatureUnion": (FeatureUnion([("a", StandardScaler()), ("b", PCA(2))]), ROWS, None),
    "TransformedTargetRegressor": (
        TransformedTargetRegressor(
            network("GRURegressor"), transformer=QuantileTransformer(n_quantiles=9)
        ),
        ROWS,
        NUMBERS,
    ),
    "TransformedTargetSequenceRegressor": (
        rnnkit.TransformedTargetSequenceRegressor(
            network("GRUSequenceRegressor"), transformer=MinMaxScaler()
        ),
        RAGGED,
        [x[:, 0] * 2 for x in RAGGED],
    ),
    "SequencePipeline": (
        rnnkit.SequencePipeline(
            [("scale", SequenceScaler()), ("model", network("GRUSequenceRegressor"))]
        ),
        RAGGED,
        [x[:, 0] * 2 for x in RAGGED],
    ),
    "SequenceScaler": (SequenceScaler(), RAGGED, None),
    "SequenceScaler of rows": (SequenceScaler(RobustScaler(), step_features=2), ROWS, None),
    "SequenceScaler of a frame": (SequenceScaler(), FRAME[["c", "d"]], None),
    "SequenceScaler of frames": (
        SequenceScaler(),
        [FRAME[["c", "d"]][:5], FRAME[["c", "d"]][:7]],
        None,
    ),
    "SequenceScaler of a pipeline": (
        SequenceScaler(make_pipeline(SimpleImputer(), PCA(1))),
        [x.reshape(3, 2) for x in ROWS],
        None,
    ),
    "SequenceImputer": (
        SequenceImputer("interpolate", add_indicator=True, add_elapsed=True),
        [np.where(x > 1, np.nan, x) for x in RAGGED],
        None,
    ),
    "SequenceImputer of rows": (SequenceImputer(step_features=2), ROWS, None),
    "Fold": (Fold(3, fill="edge"), RAGGED, None),
    "Fold of rows": (Fold(2, remainder="drop", step_features=2), ROWS, None),
    "Difference": (Difference(2, start="keep"), RAGGED, None),
    "FourierTime": (FourierTime((12, 5.5), (2, 1)), RAGGED, None),
    "FourierTime of a column": (FourierTime(7, time="c"), FRAMES, None),
    "CalendarFeatures": (CalendarFeatures(("hour", "day", "year")), DAYS, None),
    "Padder": (Padder(fill=-1.0, flatten=True, side="start"), RAGGED, None),
    "Padder of frames": (Padder(9), [FRAME[["c", "d"]][:5], FRAME[["c", "d"]][:7]], None),
    "SequenceSummary": (SequenceSummary(["std", "first"], n_segments=2), RAGGED, None),
    "SequenceSummary of rows": (
        make_pipeline(SequenceSummary(step_features=2), StandardScaler(), LogisticRegression()),
        ROWS,
        LABELS,
    ),
    "SlidingWindows": (SlidingWindows(5, step=2), FRAME[["c", "d"]], None),
    "TokenEncoder": (
        TokenEncoder(("word", "shape", "affixes", "chars", "spelling"), n_chars=2),
        WORDS,
        None,
    ),
    "RecurrentFeatures": (rnnkit.RecurrentFeatures(network(), pooling="mean"), ROWS, LABELS),
    "RecurrentFeatures, frozen": (
        rnnkit.RecurrentFeatures(
            FrozenEstimator(network("LSTMClassifier").fit(ROWS, LABELS)), layer=0
        ),
        ROWS,
        LABELS,
    ),
    "features and a linear head": (
        make_pipeline(StandardScaler(), rnnkit.RecurrentFeatures(network()), LogisticRegression()),
        ROWS,
        LABELS,
    ),
    "Hopfield network": (
        make_pipeline(StandardScaler(), HopfieldNetwork("pseudo-inverse", random_state=0)),
        ROWS,
        None,
    ),
    "deep Boltzmann machine": (
        make_pipeline(
            MinMaxScaler(),
            DeepBoltzmannMachine((3, 2), max_iter=2, learning_rate=training.Linear(0.1)),
        ),
        ROWS,
        None,
    ),
    "deep belief network": (
        make_pipeline(MinMaxScaler(), DeepBeliefNetwork((3, 2), pretrain_iter=2, max_iter=2)),
        ROWS,
        LABELS,
    ),
    "modern Hopfield network": (HopfieldNetwork("softmax", beta=2.0), ROWS, None),
    "scaled classifier": (
        make_pipeline(SimpleImputer(), StandardScaler(), network()),
        HOLES,
        LABELS,
    ),
    "scaled sequences": (
        Pipeline(
            [
                ("scale", SequenceScaler()),
                ("skip", "passthrough"),
                ("tag", network("LSTMSequenceTagger", convolutions=[rnnkit.Convolution(3, 2)])),
            ]
        ),
        RAGGED,
        [["up" if v > 1 else "down" for v in x[:, 0]] for x in RAGGED],
    ),
    "words": (
        make_pipeline(
            TokenEncoder(("word", "shape")), network("GRUSequenceTagger", embedding_dim=2)
        ),
        WORDS,
        [["x" if len(w) > 2 else "y" for w in words] for words in WORDS],
    ),
    "columns before a network": (
        make_pipeline(ColumnTransformer([("n", StandardScaler(), ["c", "d"])]), network()),
        FRAME,
        LABELS,
    ),
}


def fitted(name):
    estimator, X, y = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = clone(estimator)
        return (estimator.fit(X) if y is None else estimator.fit(X, y)), X


def answer(estimator, X):
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(estimator, method):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = getattr(estimator, method)(X)
            return found.toarray() if hasattr(found, "toarray") else found
    raise AssertionError(f"{estimator} answers nothing")


@pytest.mark.parametrize("name", CASES)
def test_unfitted_and_fitted_come_back_as_they_were(name, tmp_path):
    path = tmp_path / "model"
    unfitted = clone(CASES[name][0])
    rnnkit.save(unfitted, path)
    assert differences(unfitted, rnnkit.load(path)) == []
    estimator, X = fitted(name)
    expected = answer(estimator, X)
    rnnkit.save(estimator, path)
    loaded = rnnkit.load(path)
    assert differences(estimator, loaded) == []
    got = answer(loaded, X)
    assert type(got) is type(expected)
    assert differences(list(map(np.asarray, expected)), list(map(np.asarray, got))) == []
    with safetensors.safe_open(path, "numpy") as file:
        words = [*words_of(json.loads(file.metadata()["model"])), *file.keys()]
    assert not [word for word in words if word.startswith("_")]


def test_frames_of_polars_stay_frames_of_polars(tmp_path):
    polars = pytest.importorskip("polars")
    X = [polars.DataFrame(FRAME[["a", "c"]][:5]), polars.DataFrame(FRAME[["a", "c"]][5:9])]
    columns = [("a", OneHotEncoder(), ["a"]), ("c", MinMaxScaler(), ["c"])]
    scaler = SequenceScaler(ColumnTransformer(columns)).fit(X)
    rnnkit.save(scaler, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert differences(scaler, loaded) == []
    assert differences(scaler.transform(X), loaded.transform(X)) == []


def test_every_class_that_files_carry_is_tried():
    solvers_and_schedules = {n for n in catalogue._NAMES if n.startswith("rnnkit.training")}
    # saved by test_files.py
    golden = ("RNN", "LSTM", "GRU", "EchoState", "Evolino", "energy.RecurrentRBM")
    estimators = {n for n in catalogue._NAMES if n.removeprefix("rnnkit.").startswith(golden)}
    text = " ".join(repr(case[0]) for case in CASES.values())
    for name in catalogue._NAMES.keys() - solvers_and_schedules - estimators:
        assert f"{name.rpartition('.')[2]}(" in text, name


CHILD = """
import sys, numpy as np, rnnkit
model = rnnkit.load(sys.argv[1])
print(model.predict_proba(np.load(sys.argv[2])).tobytes().hex())
"""


def test_another_process_answers_the_same_bits(tmp_path):
    pipeline, X = fitted("scaled classifier")
    rnnkit.save(pipeline, tmp_path / "model")
    np.save(tmp_path / "X.npy", X)
    run = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, tmp_path / "model", tmp_path / "X.npy"],
        capture_output=True, text=True, env=os.environ,
    )  # fmt: skip
    assert run.stdout.strip() == pipeline.predict_proba(X).tobytes().hex(), run.stderr


def test_requests_for_metadata_come_back(tmp_path):
    with config_context(enable_metadata_routing=True):
        estimator = network().set_fit_request(sample_weight=True, X_val="other", lengths=False)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        rnnkit.save(make_pipeline(scaler, estimator), tmp_path / "model")
        loaded = rnnkit.load(tmp_path / "model")
        for before, after in ((scaler, loaded[0]), (estimator, loaded[1])):
            assert repr(before.get_metadata_routing()) == repr(after.get_metadata_routing())


class Custom(rnnkit.GRUClassifier):
    """A class of the user's own."""


@pytest.mark.parametrize(
    "estimator, named",
    [
        (RandomForestClassifier(), "RandomForestClassifier"),
        (
            make_pipeline(StandardScaler(), RandomForestClassifier()),
            r"steps\.1.*RandomForestClassifier",
        ),
        (FunctionTransformer(np.log), r"func: .*numpy\.ufunc"),
        (make_pipeline(FunctionTransformer(len)), r"steps\.0.*func: .*builtin_function"),
        (
            ColumnTransformer([("a", StandardScaler(), make_column_selector())]),
            "make_column_selector",
        ),
        (GridSearchCV(network(), {}), "GridSearchCV; save its best_estimator_"),
        (Custom(), "Custom"),
        (rnnkit.GRUClassifier, "GRUClassifier"),
        (make_pipeline(network(), memory="cache"), r"memory='cache'"),
        (network(class_weight={0: object()}), "class_weight"),
        (SequenceScaler(Custom()), "scaler.*Custom"),
        (network(gate_bias=pd.Series([1])), "Series"),
        ([network()], "list"),
        (None, "NoneType"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_no_file_carries_is_named(estimator, named, tmp_path):
    with pytest.raises(TypeError, match=named):
        rnnkit.save(estimator, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_an_attribute_that_fit_does_not_set_is_named(tmp_path):
    estimator, _ = fitted("StandardScaler 13")
    estimator.note = "mine"
    with pytest.raises(TypeError, match="note: StandardScaler has it beside"):
        rnnkit.save(estimator, tmp_path / "model")


def test_what_contains_itself_is_named(tmp_path):
    itself = {}
    itself["again"] = itself
    with pytest.raises(TypeError, match="contains itself"):
        rnnkit.save(network(gate_bias=itself), tmp_path / "model")


IDS = {
    "days": np.arange(3).astype("M8[D]"),
    "spans": np.arange(3).astype("m8[us]"),
    "Python's dates": [date(2020, 1, i) for i in (1, 2, 3)],
    "tuples": [("a", datetime(2020, 1, 1, i)) for i in range(3)],
    "tuples of NumPy's": [("a", np.datetime64(i, "s"), timedelta(i)) for i in range(3)],
}


@pytest.mark.parametrize("ids", IDS)
def test_ids_of_series_that_are_dates(ids, tmp_path):
    series = rnnkit.Sequences.from_list([np.sin(np.arange(30.0) + i) for i in range(3)], IDS[ids])
    forecaster = rnnkit.GRUForecaster(3, max_iter=1, learning_rate="linear", random_state=0)
    forecaster.fit(series, fh=[1, 2])
    rnnkit.save(forecaster, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert differences(forecaster, loaded) == []
    assert loaded.predict().ids.tolist() == series.ids.tolist()
    loaded.update(series)
    with pytest.raises(ValueError, match="ids"):
        loaded.update(series[::-1])
