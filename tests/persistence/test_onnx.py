"""Exported graphs against onnxruntime: every golden model agrees or is refused by name."""

import sys
import warnings

import numpy as np
import pytest
from estimators.options import CELLS, FORMS, MODES, OPTIONS, small
from persistence.trained import MODELS, refusal, trained
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

import rnnkit
import rnnkit.exceptions
from rnnkit.preprocessing import SequenceScaler

onnx = pytest.importorskip("onnx", reason='onnx is absent: pip install "rnnkit[oracle]"')
onnxruntime = pytest.importorskip("onnxruntime", reason='pip install "rnnkit[oracle]"')

REFUSED = ("full_gate_recurrence", "layer_norm", "zoneout", "precision", "beam_width")
TOLERANCE = 1e-5  # of the largest value, at least 1


def why_refused(estimator):
    """Return a pattern of what the refusal names, or None."""
    names = [found for name in REFUSED if (found := refusal(estimator, [name]))]
    names += ["crf"] if getattr(estimator, "output", None) == "crf" else []
    return "|".join(names) or None


def dense(X, call, estimator):
    """Return X and lengths as the graph takes them: padded, with NaN or -1 beyond the steps."""
    reader = estimator._reader
    sequences, _ = reader.read(estimator, X, call.get("lengths"))
    fill = -1 if reader.all_tokens else np.nan
    padded, lengths = sequences.to_padded(fill)
    return padded, lengths


def feeds_of(model, estimator, X, call):
    reader = estimator._reader
    padded, lengths = dense(X, call, estimator)
    inputs = {value.name: value for value in model.graph.input}
    feeds = {"lengths": lengths.astype(np.int64)} if "lengths" in inputs else {}
    if reader.n_numeric:
        feeds["X"] = np.delete(padded, reader.token_columns, axis=2).astype(np.float32)
    if reader.token_columns:
        ids = np.nan_to_num(padded[:, :, reader.token_columns], nan=-1).astype(np.int64)
        feeds["ids" if reader.n_numeric else "X"] = ids
    for name in feeds.keys() - {"lengths"}:
        if len(inputs[name].type.tensor_type.shape.dim) == 2:
            feeds[name] = feeds[name].reshape(len(padded), -1)
    return feeds, lengths


def run(model, feeds):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def real(values, lengths):
    """Return the rows of real steps, whatever form the values have."""
    if isinstance(values, rnnkit.Sequences):
        values = values.to_list()
    return np.concatenate([np.asarray(row)[:length] for row, length in zip(values, lengths)])


def assert_near(got, expected):
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    assert np.abs(got - expected).max(initial=0.0) <= TOLERANCE * scale


def assert_same_answers(estimator, found, X, call, lengths):
    per_step = type(estimator)._per_step
    rows = (lambda values: real(values, lengths)) if per_step else np.asarray
    predicted = estimator.predict(X, **call)
    if "label_lengths" in found:
        texts = [row[:n] for row, n in zip(found["label"], found["label_lengths"])]
        assert [list(text) for text in texts] == [list(text) for text in predicted]
        beyond = found["probabilities"][np.arange(found["label"].shape[1]) >= lengths[:, None]]
        assert not beyond.any()
    elif "label" in found:
        assert np.array_equal(rows(found["label"]), rows(predicted))
    else:
        expected = rows(predicted)
        expected = expected.reshape(len(expected), -1)
        assert_near(rows(found["variable"]), expected)
    if "probabilities" in found:
        assert_near(rows(found["probabilities"]), rows(estimator.predict_proba(X, **call)))
    if per_step and "label_lengths" not in found:
        for values in found.values():
            beyond = values[np.arange(values.shape[1]) >= lengths[:, None]]
            assert not any(np.ravel(beyond))


@pytest.mark.parametrize("name", MODELS)
def test_golden_model_agrees_or_is_refused_by_name(name):
    estimator, data = trained(name)
    refused = why_refused(estimator)
    if refused is not None:
        with pytest.raises(ValueError, match=refused):
            rnnkit.to_onnx(estimator)
        return
    model = rnnkit.to_onnx(estimator)
    feeds, lengths = feeds_of(model, estimator, data.X, data.call)
    assert_same_answers(estimator, run(model, feeds), data.X, data.call, lengths)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_with_every_option_agrees_or_is_refused(mode, cell):
    mode = MODES[mode]
    allowed = small(cell, mode).get_params()
    options = [n for n, o in OPTIONS.items() if n in allowed and {*o.needs} <= {*allowed}]
    for name in options:
        option = OPTIONS[name]
        if name in mode.settings:
            continue
        estimator = small(cell, mode, **{**option.needs, name: option.value})
        X = FORMS[option.form]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                estimator.fit(X, mode.y)
            except ValueError:  # an option that this y does not take
                continue
        refused = why_refused(estimator)
        if refused is not None:
            with pytest.raises(ValueError, match=refused):
                rnnkit.to_onnx(estimator)
            continue
        model = rnnkit.to_onnx(estimator)
        feeds, lengths = feeds_of(model, estimator, X, {})
        assert_same_answers(estimator, run(model, feeds), X, {}, lengths)


N, T, F = 15, 6, 3
RNG = np.random.RandomState(0)
ROWS = RNG.randn(N, T * F)
STEPS = RNG.randint(1, T + 1, N)
RAGGED = [x[:t] for x, t in zip(ROWS.reshape(N, T, F), STEPS)]
LABELS = np.array(["a", "bb", "ccc"])[np.arange(N) % 3]
SMALL = dict(hidden_size=5, max_iter=4, learning_rate="linear", random_state=0)
SCALERS = {
    "standard": StandardScaler(),
    "no mean": StandardScaler(with_mean=False),
    "no std": StandardScaler(with_std=False),
    "min max": MinMaxScaler((-1, 2)),
    "min max clip": MinMaxScaler((-1, 2), clip=True),
    "max abs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "robust, no center": RobustScaler(with_centering=False),
    "robust, no scale": RobustScaler(with_scaling=False, quantile_range=(10, 90)),
    "several": make_pipeline(RobustScaler(), "passthrough", StandardScaler()),
}


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("form", ["rows", "rows of steps", "ragged"])
def test_scalers_before_a_network(form, scaler):
    scaler = SCALERS[scaler]
    per_step = form != "rows"
    step_features = F if form == "rows of steps" else 1
    before = SequenceScaler(scaler, step_features=step_features) if per_step else scaler
    classifier = rnnkit.GRUClassifier(**SMALL, step_features=1 if form == "ragged" else F)
    far = ROWS * 30 + 500
    X = [x[:t] for x, t in zip(far.reshape(N, T, F), STEPS)] if form == "ragged" else far
    pipeline = Pipeline([("nothing", None), ("scale", before), ("classify", classifier)])
    pipeline.fit(X, LABELS)
    model = rnnkit.to_onnx(pipeline)
    shifted = [x * 1.5 for x in X] if form == "ragged" else X * 1.5
    feeds, _ = feeds_of(model, classifier, shifted, {})
    found = run(model, feeds)
    assert_near(found["probabilities"], pipeline.predict_proba(shifted))
    assert np.array_equal(found["label"], pipeline.predict(shifted))


@pytest.mark.parametrize("scaler", [PowerTransformer(), SequenceScaler(PowerTransformer())])
def test_another_scaler_is_refused_by_name(scaler):
    pipeline = make_pipeline(scaler, rnnkit.GRUClassifier(**SMALL)).fit(ROWS, LABELS)
    with pytest.raises(ValueError, match="cannot express a PowerTransformer"):
        rnnkit.to_onnx(pipeline)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("layer", [0, -1])
def test_features(pooling, layer):
    classifier = rnnkit.LSTMClassifier(**SMALL, n_layers=2, bidirectional=True, zoneout=0.0)
    features = rnnkit.RecurrentFeatures(classifier, pooling=pooling, layer=layer)
    features.fit(RAGGED, LABELS)
    for written in (features, FrozenEstimator(features), make_pipeline(features)):
        model = rnnkit.to_onnx(written)
        feeds, _ = feeds_of(model, features.estimator_, RAGGED, {})
        assert_near(run(model, feeds)["variable"], features.transform(RAGGED))


def test_features_of_a_frozen_crf_tagger():
    tags = [["a", "b", "a", "a", "b", "b"][: len(x)] for x in RAGGED]
    tagger = rnnkit.GRUSequenceTagger(**SMALL, output="crf").fit(RAGGED, tags)
    features = rnnkit.RecurrentFeatures(FrozenEstimator(tagger)).fit(RAGGED, LABELS)
    model = rnnkit.to_onnx(features)
    feeds, _ = feeds_of(model, tagger, RAGGED, {})
    assert_near(run(model, feeds)["variable"], features.transform(RAGGED))


@pytest.mark.parametrize(
    "labels, kind",
    [
        ([3, 1, 2**40], "int64"),
        (np.array([3, 1, 2], "u1"), "int64"),
        ([1.0, 3.0, 2.0], "float64"),
        (["é", "b", "c"], "object"),
        (np.array(["é", "b", "c"], object), "object"),
        ([True, False, True], "bool"),
    ],
)
@pytest.mark.parametrize("task", ["Classifier", "SequenceTagger"])
def test_labels_of_every_kind(task, labels, kind):
    y = np.asarray(labels)[np.arange(N) % 3]
    y = y if task == "Classifier" else [[label] * len(x) for x, label in zip(RAGGED, y)]
    estimator = getattr(rnnkit, f"RNN{task}")(**SMALL).fit(RAGGED, y)
    model = rnnkit.to_onnx(estimator)
    feeds, lengths = feeds_of(model, estimator, RAGGED, {})
    found = run(model, feeds)
    assert found["label"].dtype == kind
    assert_same_answers(estimator, found, RAGGED, {}, lengths)


@pytest.mark.parametrize("name", ["tokens", "tokens, columns", "tokens, spelling"])
def test_other_batch_sizes_and_lengths_than_in_fit(name):
    estimator, data = trained(name)
    model = rnnkit.to_onnx(estimator)
    for X in (data.X[:1], [x[:1] for x in data.X], [np.concatenate([x] * 9) for x in data.X]):
        feeds, lengths = feeds_of(model, estimator, X, {})
        assert_same_answers(estimator, run(model, feeds), X, {}, lengths)


@pytest.mark.parametrize("given", [True, False])
def test_lengths_are_an_input_when_asked_for(given):
    dense = ROWS.reshape(N, T, F)
    for X, step_features in ((dense, 1), (ROWS, F)):
        classifier = rnnkit.GRUClassifier(**SMALL, step_features=step_features).fit(X, LABELS)
        model = rnnkit.to_onnx(classifier, lengths=given)
        feeds, _ = feeds_of(model, classifier, X, {})
        assert ("lengths" in feeds) is given
        assert_near(run(model, feeds)["probabilities"], classifier.predict_proba(X))


def test_path_is_written_as_a_whole(tmp_path, monkeypatch):
    classifier = rnnkit.GRUClassifier(**SMALL).fit(RAGGED, LABELS)
    path = tmp_path / "model.onnx"
    model = rnnkit.to_onnx(classifier, path)
    assert path.read_bytes() == model.SerializeToString()
    assert onnx.load(path) == model
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        rnnkit.to_onnx(rnnkit.LSTMClassifier(**SMALL).fit(RAGGED, LABELS), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_model_says_where_it_comes_from():
    model = rnnkit.to_onnx(rnnkit.GRUClassifier(**SMALL).fit(RAGGED, LABELS))
    assert (model.producer_name, model.producer_version) == ("rnnkit", rnnkit.__version__)
    assert "GRUClassifier" in model.doc_string
    assert "lengths" in model.doc_string
    assert {m.key: m.value for m in model.metadata_props}["rnnkit.estimator"] == "GRUClassifier"


def test_missing_package_is_named(monkeypatch):
    classifier = rnnkit.GRUClassifier(**SMALL).fit(RAGGED, LABELS)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(rnnkit.exceptions.MissingExtraError, match=r"rnnkit\[onnx\]"):
        rnnkit.to_onnx(classifier)


@pytest.mark.parametrize(
    "estimator, error, message",
    [
        (StandardScaler(), TypeError, "got StandardScaler"),
        (rnnkit.GRUClassifier(), NotFittedError, "not fitted"),
        (make_pipeline(StandardScaler(), rnnkit.GRUClassifier()), NotFittedError, "not fitted"),
        (make_pipeline(rnnkit.RecurrentFeatures(rnnkit.GRUClassifier()), LinearRegression()),
         TypeError, "got LinearRegression"),
        (rnnkit.RecurrentFeatures(rnnkit.GRUClassifier()), NotFittedError, "not fitted"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported(estimator, error, message):
    with pytest.raises(error, match=message):
        rnnkit.to_onnx(estimator)
