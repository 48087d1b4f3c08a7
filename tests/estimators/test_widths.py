"""A width for each recurrent layer: hidden_size=(5, 3), and () for none at all."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression

import rnnkit
from rnnkit import (
    GRUSequenceRegressor,
    GRUSequenceTagger,
    LSTMAutoencoder,
    LSTMClassifier,
    LSTMEncoderDecoder,
    LSTMRegressor,
    RecurrentFeatures,
    RNNClassifier,
    RNNLanguageModel,
)
from rnnkit.persistence.keras import from_weights, to_weights
from rnnkit.persistence.onnx import from_onnx, to_onnx
from rnnkit.persistence.pytorch import from_state_dict, to_state_dict

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(n, 3)).astype(np.float32) for n in RNG.integers(2, 9, 40)]
Y = np.array([x[:, 0].mean() > 0 for x in X]).astype(int)
POOLED = {
    "last": np.array([x[-1] for x in X]),
    "mean": np.array([x.mean(0) for x in X]),
    "max": np.array([x.max(0) for x in X]),
}
TO_THE_END = {"solver": "lbfgs", "max_iter": 500, "tol": 1e-12, "early_stopping": False}


def quick(kind, hidden_size, **options):
    return kind(hidden_size, max_iter=3, random_state=0, learning_rate="linear", **options)


def test_a_tuple_of_equal_widths_is_as_many_layers():
    tuples = quick(LSTMClassifier, (4, 4), bidirectional=True, dropout=0.1).fit(X, Y)
    layers = quick(LSTMClassifier, 4, n_layers=2, bidirectional=True, dropout=0.1).fit(X, Y)
    assert np.array_equal(tuples.predict_proba(X), layers.predict_proba(X))


@pytest.mark.parametrize("hidden_size", [(5, 3), (3, 5), (2, 4, 3), (np.int64(5),), ()])
def test_every_layer_has_its_width(hidden_size):
    model = quick(GRUSequenceTagger, hidden_size).fit(X, [x[:, 0] > 0 for x in X])
    layers = model.network_.recurrent_layers
    assert [layer.width for layer in layers] == list(hidden_size)
    for place, width in enumerate(hidden_size):
        assert model.hidden_states(X, layer=place)[0].shape == (len(X[0]), width)
    again = clone(model).fit(X, [x[:, 0] > 0 for x in X])
    assert all(map(np.array_equal, model.predict(X), again.predict(X)))


def test_an_autoencoder_writes_with_the_widths_in_reverse():
    model = quick(LSTMAutoencoder, (6, 3), code_size=2).fit(X)
    assert [layer.width for layer in model.network_.recurrent_layers] == [6, 3, 3, 6]
    assert model.transform(X).shape == (len(X), 2)


def test_layers_of_several_widths_are_kept_and_carried(tmp_path):
    model = quick(LSTMClassifier, (5, 3), bidirectional=True, pooling="mean").fit(X, Y)
    rnnkit.save(model, tmp_path / "model")
    found = rnnkit.load(tmp_path / "model")
    assert found.hidden_size == (5, 3)
    assert np.array_equal(found.predict_proba(X), model.predict_proba(X))
    probabilities = model.predict_proba(X)
    weights = to_weights(model)
    same = from_weights(clone(model), weights)
    assert np.allclose(same.predict_proba(X), probabilities, atol=1e-6)
    read = from_onnx(to_onnx(model))
    assert read.hidden_size == (5, 3)
    assert np.allclose(read.predict_proba(X), probabilities, atol=1e-6)
    with pytest.raises(ValueError, match=r"several widths, got hidden_size=\(5, 3\)"):
        to_state_dict(model)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_without_a_recurrent_layer_it_is_a_linear_model_of_what_is_pooled(pooling):
    """The optimum is that of scikit-learn's logistic regression; labels with noise have one."""
    labels = np.where(RNG.random(len(Y)) < 0.3, 1 - Y, Y)
    inputs = [x.astype(np.float64) for x in X]
    model = RNNClassifier((), pooling=pooling, alpha=0.0, **TO_THE_END).fit(inputs, labels)
    assert not model.network_.recurrent_layers
    pooled = POOLED[pooling].astype(np.float64)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(pooled, labels)
    assert np.allclose(model.predict_proba(inputs), oracle.predict_proba(pooled), atol=1e-4)


def test_without_a_recurrent_layer_steps_are_regressed_one_by_one():
    steps = np.concatenate(X).astype(np.float64)
    inputs = np.split(steps, np.cumsum([len(x) for x in X])[:-1])
    targets = [x @ [1.0, -2.0, 0.5] + 3 + RNG.normal(size=len(x)) for x in inputs]
    model = GRUSequenceRegressor((), alpha=0.0, **TO_THE_END).fit(inputs, targets)
    oracle = LinearRegression().fit(steps, np.concatenate(targets))
    assert np.allclose(np.concatenate(model.predict(inputs)), oracle.predict(steps), atol=1e-4)
    stream = model.stream()
    found = [stream.step(step) for step in inputs[0]]
    assert np.allclose(found, model.predict(inputs)[0], atol=1e-12)


def test_the_last_row_of_a_sequence_beside_others_and_step_by_step(tmp_path):
    model = quick(LSTMClassifier, ()).fit(X, Y)
    whole = model.predict_proba(X)
    assert all(np.array_equal(model.predict_proba([x])[0], row) for x, row in zip(X, whole))
    stream = model.stream()
    for x, label in zip(X, model.predict(X)):
        stream.reset()
        assert [stream.step(step) for step in x][-1] == label
    rnnkit.save(model, tmp_path / "model")
    assert np.array_equal(rnnkit.load(tmp_path / "model").predict_proba(X), whole)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (LSTMClassifier, {"hidden_size": (5, 3), "n_layers": 2}, "'n_layers' .* must be 1 where"),
        (LSTMClassifier, {"hidden_size": (5, 0)}, r"Got \(5, 0\)"),
        (LSTMClassifier, {"hidden_size": (5, 2.5)}, r"Got \(5, 2.5\)"),
        (LSTMClassifier, {"hidden_size": (True,)}, r"Got \(True,\)"),
        (LSTMClassifier, {"hidden_size": "64"}, "Got '64'"),
        (LSTMClassifier, {"hidden_size": [5, 3]}, r"Got \[5, 3\]"),
        (LSTMClassifier, {"hidden_size": (), "bidirectional": True}, "'bidirectional' .* False"),
        (LSTMClassifier, {"hidden_size": (), "forget_bias": 5.0}, "'forget_bias' .* Got 5.0"),
        (LSTMClassifier, {"hidden_size": (), "peephole": True}, "'peephole' .* recurrent layer"),
        (LSTMRegressor, {"hidden_size": (), "precision": "bf16"}, "'precision' .* Got 'bf16'"),
        (LSTMAutoencoder, {"hidden_size": ()}, "tuple that is not empty"),
        (RNNLanguageModel, {"hidden_size": ()}, "tuple that is not empty"),
        (LSTMEncoderDecoder, {"hidden_size": (4, 3)}, r"an int .* Got \(4, 3\)"),
    ],
)
def test_other_widths_are_refused(kind, options, words):
    with pytest.raises(ValueError, match=words):
        kind(**options, max_iter=1).fit(X, Y)


def test_what_needs_states_says_that_there_are_none():
    model = quick(LSTMClassifier, ()).fit(X, Y)
    for ask in (
        lambda: model.hidden_states(X),
        lambda: RecurrentFeatures(model).fit(X, Y).transform(X),
        lambda: to_onnx(model),
        lambda: to_state_dict(model),
        lambda: to_weights(model),
        lambda: from_state_dict(
            LSTMClassifier(()), to_state_dict(quick(LSTMClassifier, 4).fit(X, Y))
        ),
    ):
        with pytest.raises(ValueError, match=r"no recurrent layer|hidden_size"):
            ask()
