"""`quantize`: every kind of estimator predicts in 8 bits, or is refused by name."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import rnnkit
from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.backends.quantizing import dequantized, quantized_rows
from rnnkit.exceptions import FormatError
from rnnkit.network.quantizing import matrices_of
from rnnkit.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
STEPS = [9, 7, 7, 5, 4, 3, 3, 1, 8, 6, 2, 9]
X = [RNG.standard_normal((t, 3)).astype(np.float32) for t in STEPS]
LABELS = np.array([str(x[-1, 0] > 0) for x in X])
TAGS = [(x[:, 0] > 0).astype(int) for x in X]
NUMBERS = np.array([x.mean() for x in X], np.float32)
IDS = [RNG.integers(1, 6, t) for t in STEPS]
TEXT = "the quick brown fox jumps over the lazy dog " * 8

USUAL = {"max_iter": 2, "random_state": 0}


def cases():
    """Return by name (estimator, X, y)."""
    table = {}
    for cell in ("RNN", "LSTM", "GRU"):
        make = getattr(rnnkit, f"{cell}Classifier")
        table[f"{cell} stacked both ways"] = (
            make(20, n_layers=2, bidirectional=True, pooling="mean", **USUAL),
            X,
            LABELS,
        )
        table[f"{cell} clip norm"] = (make(9, cell_clip=0.9, layer_norm=True, **USUAL), X, LABELS)
    lstm, gru = rnnkit.LSTMClassifier, rnnkit.GRUClassifier
    table["peepholes"] = (lstm(8, peephole=True, coupled_gates=True, **USUAL), X, LABELS)
    table["zoneout dropout"] = (lstm(8, zoneout=0.2, dropout=0.2, **USUAL), X, LABELS)
    table["recurrent dropout"] = (gru(8, recurrent_dropout=0.3, **USUAL), X, LABELS)
    table["reset before"] = (gru(8, reset="before", activation="softsign", **USUAL), X, LABELS)
    table["attention"] = (gru(8, pooling="attention", **USUAL), X, LABELS)
    table["bf16"] = (gru(8, precision="bf16", **USUAL), X, LABELS)
    table["ids"] = (gru(8, embedding_dim=5, n_tokens=6, **USUAL), IDS, LABELS)
    table["convolution"] = (
        lstm(8, convolutions=[rnnkit.Convolution(4, 3)], **USUAL),
        X,
        LABELS,
    )
    table["regressor"] = (rnnkit.LSTMRegressor(8, **USUAL), X, NUMBERS)
    table["by step"] = (rnnkit.GRUSequenceRegressor(8, **USUAL), X, [x[:, 0] for x in X])
    table["tagger"] = (rnnkit.LSTMSequenceTagger(8, **USUAL), X, TAGS)
    table["crf"] = (rnnkit.GRUSequenceTagger(8, output="crf", **USUAL), X, TAGS)
    table["ctc"] = (
        rnnkit.LSTMSequenceLabeller(8, **USUAL),
        X,
        [["a"] if t < 5 else ["a", "b"] for t in STEPS],
    )
    table["autoencoder"] = (rnnkit.GRUAutoencoder(8, code_size=3, **USUAL), X, None)
    table["encoder-decoder"] = (
        rnnkit.LSTMEncoderDecoder(8, attention="dot", **USUAL),
        X,
        [["a", "b"] if t < 5 else ["b"] for t in STEPS],
    )
    return table


CASES = cases()
every_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture(scope="module")
def models():
    """Every case fitted and quantized, by name."""
    found = {}
    for name, (estimator, data, y) in CASES.items():
        model = clone(estimator).fit(data) if y is None else clone(estimator).fit(data, y)
        found[name] = model, rnnkit.quantize(model)
    return found


def answers(model, data):
    """Return what a model says of data as one list of arrays."""
    method = next(
        getattr(model, name)
        for name in ("predict_proba", "transform", "predict")
        if hasattr(model, name)
    )
    said = method(data)
    parts = said if isinstance(said, (list, tuple)) or said.dtype == object else [said]
    return [np.asarray(part) for part in parts]


def assert_equal(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


@every_case
def test_it_predicts_nearly_alike_and_the_original_stays(models, name):
    model, small = models[name]
    data = CASES[name][1]
    before = {key: weight.copy() for key, weight in model.weights_.items()}
    exact = answers(model, data)
    found = answers(small, data)
    assert type(small) is type(model)
    assert small.get_params() == model.get_params()
    for key, weight in model.weights_.items():
        np.testing.assert_array_equal(weight, before[key])
    if exact[0].dtype.kind == "f":
        gaps = np.concatenate([np.abs(a - b).ravel() for a, b in zip(found, exact, strict=True)])
        assert 0 < gaps.max() < 0.1
    assert any((small.weights_[key] != before[key]).any() for key in before)


@every_case
def test_a_file_and_a_pickle_have_every_bit(models, name, tmp_path):
    _, small = models[name]
    path = tmp_path / "small"
    rnnkit.save(small, path)
    for again in (rnnkit.load(path), pickle.loads(pickle.dumps(small)), rnnkit.quantize(small)):
        assert_equal(answers(again, CASES[name][1]), answers(small, CASES[name][1]))
        np.testing.assert_array_equal(
            again.network_.parameters.flat, small.network_.parameters.flat
        )
        with pytest.raises(ValueError, match="is quantized"):
            again.fit(*CASES[name][1:])


@every_case
def test_the_reference_computes_alike(models, name):
    """A state between two integers may go either way; labels and rounded answers are apart."""
    _, small = models[name]
    there = pickle.loads(pickle.dumps(small)).set_params(device="reference")
    for a, b in zip(answers(there, CASES[name][1]), answers(small, CASES[name][1]), strict=True):
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0, atol=0.02)


@every_case
def test_threads_and_neighbours_change_no_bit(models, name):
    _, small = models[name]
    data = CASES[name][1]
    with using_threads(1):
        expected = answers(small, data)
    with using_threads(3):
        assert_equal(answers(small, data), expected)
    if expected[0].dtype.kind == "f" and len(expected) == 1:
        np.testing.assert_array_equal(answers(small, data[3:5])[0], expected[0][3:5])


@every_case
def test_training_is_refused(models, name):
    _, small = models[name]
    _, data, y = CASES[name]
    before = small.network_.parameters.flat.copy()
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=f"this {type(small).__name__} is quantized"):
            getattr(small, method)(data, y)
    np.testing.assert_array_equal(small.network_.parameters.flat, before)
    anew = clone(small)
    assert not hasattr(anew, "network_")
    anew.fit(data, y)
    assert "quantize(" not in repr(anew)
    assert repr(small) == f"quantize({anew!r})"


def test_a_stream_has_the_bits_of_predictions(models):
    _, small = models["tagger"]
    for x in X[:3]:
        stream = small.stream()
        steps = [stream.step(row) for row in x]
        np.testing.assert_array_equal(steps, small.predict([x])[0])


def test_states_and_gates_are_there_and_gradients_are_not(models):
    _, small = models["peepholes"]
    assert small.hidden_states(X)[0].shape == (STEPS[0], 8)
    assert set(small.gate_activations(X)) == {"i", "f", "g", "o"}
    with pytest.raises(ValueError, match="a quantized network is for predictions alone"):
        small.network_.bind(get_backend("cpu"), training=True)


def test_a_language_model():
    model = rnnkit.GRULanguageModel(16, max_iter=2, random_state=0).fit(TEXT)
    small = rnnkit.quantize(model)
    assert abs(small.score(TEXT) - model.score(TEXT)) < 0.02
    assert len(small.sample(5, random_state=0)) > 0
    with pytest.raises(ValueError, match="is quantized"):
        small.partial_fit(TEXT)


def test_the_matrices_are_rounded_and_a_file_is_a_quarter(tmp_path):
    model = rnnkit.LSTMClassifier(128, **USUAL).fit(X, LABELS)
    small = rnnkit.quantize(model)
    for name in matrices_of(small.network_):
        np.testing.assert_array_equal(
            small.weights_[name], dequantized(*quantized_rows(model.weights_[name]))
        )
    np.testing.assert_array_equal(small.weights_["rnn.bias_l0"], model.weights_["rnn.bias_l0"])
    sizes = []
    for estimator in (model, small):
        rnnkit.save(estimator, tmp_path / "file")
        sizes.append((tmp_path / "file").stat().st_size)
    assert 0.25 < sizes[1] / sizes[0] < 0.3


def test_a_changed_weight_is_not_saved(models, tmp_path):
    _, small = models["regressor"]
    changed = pickle.loads(pickle.dumps(small))
    changed.weights_["head.weight"][...] += 0.001
    with pytest.raises(ValueError, match=r"cannot save head.weight: its numbers were changed"):
        rnnkit.save(changed, tmp_path / "file")


def test_scales_that_are_none_are_no_model(models, tmp_path):
    import safetensors.numpy

    path = tmp_path / "file"
    rnnkit.save(models["regressor"][1], path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    scales = next(key for key in arrays if key.endswith(".scale"))
    for broken in (-arrays[scales], arrays[scales] * np.nan, arrays[scales][1:].copy()):
        safetensors.numpy.save_file({**arrays, scales: broken}, path, metadata)
        with pytest.raises(FormatError):
            rnnkit.load(path)


@pytest.mark.parametrize("isa", isa_available())
def test_every_instruction_set_agrees(models, isa):
    _, small = models["LSTM stacked both ways"]
    expected = small.predict_proba(X)
    with using_isa(isa):
        np.testing.assert_allclose(small.predict_proba(X), expected, rtol=0, atol=0.01)


def test_what_cannot_be_quantized_is_refused():
    dense = np.stack([x[:1].repeat(4, axis=0) for x in X])
    with pytest.raises(NotFittedError):
        rnnkit.quantize(rnnkit.LSTMClassifier())
    doubles = rnnkit.LSTMClassifier(4, **USUAL).fit(dense.astype(float), LABELS)
    with pytest.raises(ValueError, match=r"float64; fit it to X.astype\('float32'\)"):
        rnnkit.quantize(doubles)
    model = rnnkit.LSTMClassifier(4, **USUAL).fit(dense, LABELS)
    with pytest.raises(ValueError, match="quantize needs device='cpu', got LSTMClassifier"):
        rnnkit.quantize(pickle.loads(pickle.dumps(model)).set_params(device="cuda"))
    with pytest.raises(ValueError, match="needs a recurrent layer, and this GRUClassifier"):
        rnnkit.quantize(rnnkit.GRUClassifier((), **USUAL).fit(dense, LABELS))
    echo = rnnkit.EchoStateClassifier(20, random_state=0).fit(dense, LABELS)
    with pytest.raises(TypeError, match="does not take EchoStateClassifier: its readout"):
        rnnkit.quantize(echo)
    with pytest.raises(TypeError, match="Pipeline; quantize its last step"):
        rnnkit.quantize(make_pipeline(SequenceScaler(), model))
    search = GridSearchCV(rnnkit.GRUClassifier(4, **USUAL), {"hidden_size": [2]}, cv=2)
    with pytest.raises(TypeError, match="GridSearchCV; quantize its best_estimator_"):
        rnnkit.quantize(search.fit(dense, LABELS))
    features = rnnkit.RecurrentFeatures(model).fit(dense, LABELS)
    with pytest.raises(TypeError, match="RecurrentFeatures; quantize its estimator_"):
        rnnkit.quantize(features)
    for other in (rnnkit.LSTMClassifier, None, rnnkit.GRUForecaster()):
        with pytest.raises(TypeError, match="quantize takes a fitted estimator"):
            rnnkit.quantize(other)
    with pytest.raises(ValueError, match="to_onnx cannot express precision='int8'"):
        rnnkit.to_onnx(rnnkit.quantize(model), "never.onnx")
