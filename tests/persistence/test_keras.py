"""Weights in Keras' order: against its equations in NumPy, against Keras itself, and refused."""

import os

import numpy as np
import pytest
from persistence.keras_layers import run_model
from persistence.trained import MODELS, emptied, refusal, trained
from safetensors.numpy import save_file
from sklearn.base import clone
from tolerances import assert_close

import rnnkit
from rnnkit.persistence.keras import from_weights, to_weights

REFUSED = (
    "quantile",
    "spelling_columns",
    "peephole",
    "coupled_gates",
    "full_gate_recurrence",
    "cell_clip",
    "layer_norm",
    "zoneout",
    "output_activation",
)
N, T, F, H, K = 12, 5, 3, 4, 3
RNG = np.random.RandomState(0)
X = RNG.randn(N, T, F).astype("f4")
LABELS = np.arange(N) % K
SMALL = dict(hidden_size=H, max_iter=3, learning_rate="linear", random_state=0)
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
STACKS = [(layers, both) for layers in (1, 2) for both in (False, True)]


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def flat(values):
    return np.concatenate([np.ravel(piece) for piece in values])


def answers(estimator, data):
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    return flat(getattr(estimator, method)(data.X, **data.call))


def drawn(cell, layers=1, both=False, reset="after", inputs=F):
    """Return weights as Keras' get_weights() lists them."""
    rng, weights = np.random.RandomState(1), []
    g = GATES[cell]
    for _ in range(layers):
        for _ in range(1 + both):
            bias = (2, g * H) if cell == "GRU" and reset == "after" else (g * H,)
            for shape in ((inputs, g * H), (H, g * H), bias):
                weights.append((rng.randn(*shape) / 2).astype("f4"))
        inputs = H * (1 + both)
    return [*weights, rng.randn(inputs, K).astype("f4"), rng.randn(K).astype("f4")]


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back_or_refused_by_name(name):
    estimator, data = trained(name)
    refused = refusal(estimator, REFUSED)
    parameters = estimator._built_with
    for parameter, value in (("output", "crf"), ("pooling", "attention")):
        refused = parameter if parameters.get(parameter) == value else refused
    refused = "no convolutions" if parameters.get("convolutions") else refused
    if refused is not None:
        with pytest.raises(ValueError, match=refused):
            to_weights(estimator)
        return
    weights = to_weights(estimator)
    multilabel = estimator._codec.kind == "indicators"
    classes = None if multilabel else getattr(estimator, "classes_", None)
    for given in (weights, to_weights(estimator, named=True)):
        back = from_weights(emptied(estimator), given, classes=classes, multilabel=multilabel)
        got, expected = answers(back, data), answers(estimator, data)
        if hasattr(estimator, "loss") or parameters.get("reset") == "before":
            assert_close(got, expected, estimator.network_.dtype, 50)
        else:
            assert np.array_equal(got, expected)


@pytest.mark.parametrize("layers, both", STACKS)
@pytest.mark.parametrize("cell, reset", [("RNN", ""), ("LSTM", ""), ("GRU", "after"),
                                         ("GRU", "before")])  # fmt: skip
def test_equations_both_ways(cell, reset, layers, both):
    options = {"n_layers": layers, "bidirectional": both} | ({"reset": reset} if reset else {})
    estimator = getattr(rnnkit, f"{cell}Classifier")(**SMALL, **options)
    weights = drawn(cell, layers, both, reset)
    ours = from_weights(estimator, weights)
    expected = softmax(run_model(X, cell, weights, layers, both))
    assert_close(ours.predict_proba(X), expected, np.float32, 20)

    ours = clone(estimator).fit(X, LABELS)
    expected = softmax(run_model(X, cell, to_weights(ours), layers, both))
    assert_close(ours.predict_proba(X), expected, np.float32, 20)


def cudnn(weights, cell, both):
    """Return the same weights as the layers CuDNNLSTM and CuDNNGRU held them."""
    g, written = GATES[cell], []
    for position in range(0, 3 * (1 + both), 3):
        kernel, recurrent, bias = weights[position : position + 3]
        for matrix in (kernel, recurrent):
            blocks = np.split(matrix, g, axis=1)  # a gate's W (H, I), row after row
            written.append(np.hstack([b.T.reshape(b.shape) for b in blocks]))
        rows = bias if bias.ndim == 2 else np.stack([bias / 2, bias / 2])
        written.append(rows.ravel())
    return [*written, *weights[-2:]]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_layers_of_cudnn(cell, both):
    weights = drawn(cell, 1, both)
    make = getattr(rnnkit, f"{cell}Classifier")
    ours = from_weights(make(H, bidirectional=both), cudnn(weights, cell, both))
    plain = from_weights(make(H, bidirectional=both), weights)
    assert_close(ours.predict_proba(X), plain.predict_proba(X), np.float32, 20)


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras", reason="the extra oracle is not installed")


def keras_model(keras, cell, layers, both, reset="after", activation="tanh", per_step=False):
    name = {"RNN": "SimpleRNN"}.get(cell, cell)
    options = {"activation": activation}
    if cell == "GRU":
        options["reset_after"] = reset == "after"
    stack = [keras.Input((T, F))]
    for number in range(layers):
        steps = per_step or number < layers - 1
        layer = getattr(keras.layers, name)(H, return_sequences=steps, **options)
        stack.append(keras.layers.Bidirectional(layer) if both else layer)
    model = keras.Sequential([*stack, keras.layers.Dense(K, activation="softmax")])
    rng = np.random.RandomState(2)
    model.set_weights([rng.randn(*w.shape) / 2 for w in model.get_weights()])
    return model


@pytest.mark.parametrize("layers, both", STACKS)
@pytest.mark.parametrize("cell, reset", [("RNN", ""), ("LSTM", ""), ("GRU", "after"),
                                         ("GRU", "before")])  # fmt: skip
def test_keras_itself_both_ways(keras, tmp_path, cell, reset, layers, both):
    options = {"n_layers": layers, "bidirectional": both} | ({"reset": reset} if reset else {})
    estimator = getattr(rnnkit, f"{cell}Classifier")(**SMALL, **options)
    model = keras_model(keras, cell, layers, both, reset)
    by_path = {w.path: np.ascontiguousarray(w.numpy()) for w in model.weights}
    save_file(by_path, tmp_path / "model.safetensors")
    for given in (model.get_weights(), by_path, tmp_path / "model.safetensors"):
        ours = from_weights(clone(estimator), given)
        assert_close(ours.predict_proba(X), model.predict(X, verbose=0), np.float32, 20)

    ours = clone(estimator).fit(X, LABELS)
    model.set_weights(to_weights(ours))
    assert_close(ours.predict_proba(X), model.predict(X, verbose=0), np.float32, 20)


@pytest.mark.parametrize("activation", ["relu", "softsign", "linear", "sigmoid"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_keras_activations(keras, cell, activation):
    model = keras_model(keras, cell, 1, False, activation=activation, per_step=True)
    make = getattr(rnnkit, f"{cell}SequenceTagger")
    ours = from_weights(make(H, activation=activation), model.get_weights())
    assert_close(ours.predict_proba(X), model.predict(X, verbose=0), np.float32, 500)


def test_keras_embedding_and_numbers(keras):
    ids = RNG.randint(0, 6, (N, T))
    model = keras.Sequential([keras.Input((T,)), keras.layers.Embedding(6, 2),
                              keras.layers.LSTM(H), keras.layers.Dense(1)])  # fmt: skip
    ours = from_weights(rnnkit.LSTMRegressor(H, embedding_dim=2), model.get_weights())
    expected = model.predict(ids, verbose=0)[:, 0]
    assert_close(ours.predict(ids[..., None]), expected, np.float32, 20)
    again = from_weights(rnnkit.LSTMRegressor(H, embedding_dim=2), to_weights(ours))
    assert np.array_equal(again.predict(ids[..., None]), ours.predict(ids[..., None]))


def test_one_score_of_two_classes_and_yes_or_no_labels():
    weights = drawn("LSTM")
    weights[-2:] = weights[-2][:, :1], weights[-1][:1]
    scores = run_model(X, "LSTM", weights)
    ours = from_weights(rnnkit.LSTMClassifier(H), weights, classes=["no", "yes"])
    assert_close(ours.predict_proba(X)[:, 1:], 1 / (1 + np.exp(-scores)), np.float32, 20)
    weights = drawn("LSTM")
    ours = from_weights(rnnkit.LSTMClassifier(H), weights, multilabel=True)
    expected = 1 / (1 + np.exp(-run_model(X, "LSTM", weights)))
    assert_close(ours.predict_proba(X), expected, np.float32, 20)


def test_no_biases():
    weights = drawn("GRU", 2)
    without = [w for w in weights if w.shape not in {(2, 12), (K,)}]
    zeros = [np.zeros_like(w) if w.shape in {(2, 12), (K,)} else w for w in weights]
    make = rnnkit.GRUClassifier(H, n_layers=2)
    expected = from_weights(clone(make), zeros).predict_proba(X)
    assert np.array_equal(from_weights(make, without).predict_proba(X), expected)


def test_paths_of_older_versions_and_many_layers():
    weights = drawn("LSTM", 11)
    paths = {}
    for layer in range(11):
        for part, array in zip(("kernel", "recurrent_kernel", "bias"), weights[3 * layer :]):
            paths[f"tf_model/lstm_{layer}/{part}:0" if layer else f"tf_model/lstm/{part}:0"] = array
    paths |= {
        "tf_model/classifier/kernel:0": weights[-2],
        "tf_model/classifier/bias:0": weights[-1],
    }
    make = rnnkit.LSTMClassifier(H, n_layers=11)
    expected = from_weights(clone(make), weights).predict_proba(X)
    assert np.array_equal(from_weights(make, paths).predict_proba(X), expected)


def test_layers_in_a_file_come_in_the_order_of_their_numbers(tmp_path):
    weights = to_weights(from_weights(rnnkit.LSTMClassifier(H, n_layers=11), drawn("LSTM", 11)),
                         named=True)  # fmt: skip
    save_file(weights, tmp_path / "a.safetensors")
    make = rnnkit.LSTMClassifier(H, n_layers=11)
    from_file = from_weights(make, tmp_path / "a.safetensors").predict_proba(X)
    expected = from_weights(rnnkit.LSTMClassifier(H, n_layers=11), list(weights.values()))
    assert np.array_equal(from_file, expected.predict_proba(X))


def but(position, array):
    weights = drawn("LSTM")
    weights[position] = array
    return weights


NAMED = to_weights(from_weights(rnnkit.LSTMClassifier(H), drawn("LSTM")), named=True)


@pytest.mark.parametrize(
    "arrays, parameters, error, message",
    [
        (drawn("LSTM")[:-2], {}, ValueError, r"got 3"),
        (drawn("LSTM"), {"n_layers": 2}, ValueError, r"8 arrays; got 5"),
        (drawn("LSTM"), {"hidden_size": 5}, ValueError, r"arrays\[0\] \(kernel of layer 0\)"),
        (but(1, np.ones((4, 15))), {}, ValueError, r"arrays\[1\] \(recurrent_kernel of layer 0\)"),
        (but(2, np.ones(12)), {}, ValueError, r"arrays\[2\] \(bias of layer 0\)"),
        (but(3, np.ones((5, 3))), {}, ValueError, r"arrays\[3\] \(kernel of the Dense layer\)"),
        (but(4, np.ones(2)), {}, ValueError, r"arrays\[4\] \(bias of the Dense layer\)"),
        (but(4, np.full(3, np.inf)), {}, ValueError, r"arrays\[4\].*contains NaN"),
        ({**NAMED, "a/b": np.ones(2)}, {}, ValueError, r"'a/b' has no place"),
        ({k: v for k, v in NAMED.items() if "dense" not in k}, {}, ValueError, "one Dense"),
        ({k: v for k, v in NAMED.items() if "bias" in k}, {}, ValueError, "recurrent layer"),
        (drawn("LSTM"), {"peephole": True}, ValueError, "no LSTM with peephole=True"),
        (drawn("LSTM"), {"pooling": "attention"}, ValueError, "pooling='attention'"),
        (3, {}, TypeError, "list of arrays"),
        ("model.keras", {}, ValueError, "no safetensors file"),
    ],
)  # fmt: skip
def test_one_sentence_names_the_array_and_nothing_changes(arrays, parameters, error, message):
    estimator = rnnkit.LSTMClassifier(**{"hidden_size": H, **parameters})
    before = vars(estimator).copy()
    with pytest.raises(error, match=message):
        from_weights(estimator, arrays)
    assert vars(estimator) == before


@pytest.mark.parametrize("given, wanted", [("after", "before"), ("before", "after")])
def test_a_gru_says_which_reset_it_needs(given, wanted):
    with pytest.raises(ValueError, match=f"needs reset='{given}', got reset='{wanted}'"):
        from_weights(rnnkit.GRUClassifier(H, reset=wanted), drawn("GRU", reset=given))
