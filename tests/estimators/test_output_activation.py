"""What is taken of the cell state may be another function than the candidate's."""

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, ragged, tags_of
from tolerances import assert_close

import rnnkit

X = ragged(12)
FUNCTIONS = {
    "linear": lambda a: a,
    "softsign": lambda a: a / (1 + abs(a)),
    "tanh": np.tanh,
    ("scaled_tanh", 2.0, 0.5): lambda a: 2 * np.tanh(0.5 * a),
}


@pytest.mark.parametrize(
    "of_candidate, of_state",
    [("tanh", "linear"), ("linear", "tanh"), ("softsign", ("scaled_tanh", 2.0, 0.5))],
)
def test_states_are_those_of_the_equations(of_candidate, of_state):
    model = estimator(
        "LSTM", "SequenceTagger", activation=of_candidate, output_activation=of_state, max_iter=5
    ).fit(X, tags_of(X))
    weights = [model.weights_[f"rnn.{n}_l0"] for n in ("weight_ih", "weight_hh", "bias")]
    for x, states in zip(X, model.hidden_states(X)):
        h = c = np.zeros(model.hidden_size)
        for step, state in zip(x, states):
            i, f, g, o = np.split(weights[0] @ step + weights[1] @ h + weights[2], 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * FUNCTIONS[of_candidate](g)
            h = o * FUNCTIONS[of_state](c)
            assert_close(state, h, np.float64, 50)


def test_none_is_the_activation():
    models = [
        estimator("LSTM", "Classifier", max_iter=3, activation="softsign", output_activation=name)
        for name in (None, "softsign", "tanh")
    ]
    first, second, third = (m.fit(X, labels_of(X)).predict_proba(X) for m in models)
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_only_the_lstm_has_it():
    for cell in ("RNN", "GRU"):
        with pytest.raises(TypeError, match="output_activation"):
            estimator(cell, "Classifier", output_activation="linear")
    with pytest.raises(ValueError, match="'output_activation' parameter"):
        estimator("LSTM", "Classifier", output_activation="relu6").fit(X, labels_of(X))
    with pytest.raises(ValueError, match="'output_activation' parameter must be a name or"):
        estimator("LSTM", "Classifier", output_activation=("linear", "a")).fit(X, labels_of(X))


def test_graphs_keep_it(tmp_path):
    pytest.importorskip("onnx")
    model = estimator("LSTM", "Classifier", output_activation="softsign", max_iter=3)
    model.fit(X, labels_of(X))
    rnnkit.to_onnx(model, tmp_path / "model.onnx")
    again = rnnkit.from_onnx(tmp_path / "model.onnx")
    assert again.output_activation == "softsign"
    assert again.activation == "tanh"
    assert_close(again.predict_proba(X), model.predict_proba(X), np.float32, 20)
