"""The numbers behind saliency and gradient flow against finite differences in float64."""

from dataclasses import replace

import numpy as np
import pytest
from estimators.problems import estimator, numbers_of, ragged, tags_of

from rnnkit.inspection import GradientFlowDisplay, SaliencyDisplay
from rnnkit.inspection.gradients import jacobian_norms
from rnnkit.network import Network

pytest.importorskip("matplotlib").use("Agg")

STEP = 1e-5
CLOSE = dict(rtol=1e-6, atol=1e-8)


@pytest.fixture(autouse=True)
def _no_open_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def differences(function, x):
    """The derivatives (T, F, ...) of a function of one sequence by each of its entries."""
    slopes = []
    for place in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[place] += STEP
        low[place] -= STEP
        slopes.append((function(high) - function(low)) / (2 * STEP))
    return np.array(slopes).reshape(*x.shape, *np.shape(slopes[0]))


def raw_scores(fitted, x):
    """The raw scores of one sequence, (1, K) or (T, K)."""
    sequences, _ = fitted._read_new([x], None)
    return fitted._apply(
        sequences, lambda bound, plan, rows: bound.forward(plan, rows), per_step=fitted._per_step
    )


def in_float64(fitted):
    """Let a network that looks ids up, and so computes in float32, compute exactly enough."""
    flat = fitted.network_.parameters.flat.astype("float64")
    fitted.network_ = Network(
        fitted.network_.layers, fitted.network_.output, "float64", lambda shapes: flat
    )
    fitted._reader = replace(fitted._reader, dtype="float64")


X = ragged(12)
CLASSES = [("ab" if i % 2 else "cd") if i % 3 else "ef" for i in range(len(X))]


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bidirectional": True, "n_layers": 2, "dropout": 0.3, "recurrent_dropout": 0.2},
        {"pooling": "attention", "input_noise": 0.1, "input_dropout": 0.2},
        {"pooling": "mean", "zoneout": 0.2},
        {"pooling": "max", "n_layers": 2},
    ],
    ids=str,
)
def test_saliency_of_a_classifier(cell, options):
    fitted = estimator(cell, "Classifier", max_iter=3, **options).fit(X, CLASSES)
    for index in (0, -1):
        display = SaliencyDisplay.from_estimator(fitted, X, index=index, target="cd")
        expected = differences(lambda x: raw_scores(fitted, x)[0, 1], X[index])
        np.testing.assert_allclose(display.saliency, expected, **CLOSE)


def test_saliency_of_the_label_predicted():
    fitted = estimator("GRU", "Classifier", max_iter=30).fit(X, CLASSES)
    for index, label in enumerate(fitted.predict(X)):
        default = SaliencyDisplay.from_estimator(fitted, X, index=index).saliency
        named = SaliencyDisplay.from_estimator(fitted, X, index=index, target=label).saliency
        np.testing.assert_array_equal(default, named)


def test_gradient_times_input():
    fitted = estimator("LSTM", "Classifier", max_iter=3).fit(X, CLASSES)
    plain = SaliencyDisplay.from_estimator(fitted, X, index=2)
    times = SaliencyDisplay.from_estimator(fitted, X, index=2, method="gradient_times_input")
    np.testing.assert_allclose(times.saliency, plain.saliency * X[2])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "poisson"},
        {"loss": "absolute"},
        {"loss": "quantile", "quantile": [0.9, 0.1, 0.5, 0.3]},
        {"loss": "quantile", "quantile": [0.7, 0.9]},
    ],
    ids=str,
)
def test_saliency_of_numbers_is_in_the_unit_of_y(options):
    y = np.array([[3 + abs(x[-1, 0]), 100 + 50 * abs(x.mean())] for x in X])
    fitted = estimator("GRU", "Regressor", max_iter=5, **options).fit(X, y)

    def predicted(x):
        return fitted.predict([x])[0].ravel()

    expected = differences(predicted, X[3])
    for column in range(expected.shape[-1]):
        display = SaliencyDisplay.from_estimator(fitted, X, index=3, target=column)
        scale = np.abs(expected[..., column]).max()
        np.testing.assert_allclose(
            display.saliency, expected[..., column], rtol=1e-5, atol=1e-7 * scale
        )


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_saliency_of_one_step_and_of_all(output):
    fitted = estimator("LSTM", "SequenceTagger", max_iter=3, output=output).fit(X, tags_of(X))
    x = X[1]
    by_step = differences(lambda x: raw_scores(fitted, x)[:, 1], x)
    one = SaliencyDisplay.from_estimator(fitted, X, index=1, target="up", step=-2)
    np.testing.assert_allclose(one.saliency, by_step[..., -2], **CLOSE)
    every = SaliencyDisplay.from_estimator(fitted, X, index=1, target="up")
    np.testing.assert_allclose(every.saliency, by_step.sum(axis=-1), **CLOSE)
    assert not one.saliency[-1].any()  # no step hangs on later ones


def test_saliency_of_a_sequence_regressor():
    fitted = estimator("RNN", "SequenceRegressor", max_iter=3).fit(X, numbers_of(X))
    display = SaliencyDisplay.from_estimator(fitted, X, step=2)
    expected = differences(lambda x: fitted.predict([x])[0][2], X[0])
    np.testing.assert_allclose(display.saliency, expected, **CLOSE)


def test_saliency_of_a_labeller_leaves_out_the_blank():
    y = [["a", "b"][: 1 + i % 2] for i in range(len(X))]
    fitted = estimator("GRU", "SequenceLabeller", max_iter=3).fit(X, y)
    best = raw_scores(fitted, X[0]).argmax(axis=1)

    def told(x):
        scores = raw_scores(fitted, x)
        return sum(scores[t, k] for t, k in enumerate(best) if k < 2)

    display = SaliencyDisplay.from_estimator(fitted, X)
    np.testing.assert_allclose(display.saliency, differences(told, X[0]), **CLOSE)


def test_saliency_of_ids_beside_numbers():
    rng = np.random.RandomState(0)
    mixed = [np.column_stack([x[:, 0], rng.randint(0, 9, len(x)), x[:, 1]]) for x in X]
    fitted = estimator(
        "GRU", "Classifier", max_iter=3, categorical_features=[1], embedding_dim=3
    ).fit(mixed, CLASSES)
    in_float64(fitted)
    x = mixed[0]

    def score(numbers):
        return raw_scores(fitted, np.column_stack([numbers[:, 0], x[:, 1], numbers[:, 1]]))[0, 0]

    display = SaliencyDisplay.from_estimator(fitted, mixed, target="ab")
    assert display.saliency.shape == x.shape
    expected = differences(score, x[:, [0, 2]])
    np.testing.assert_allclose(display.saliency[:, [0, 2]], expected, **CLOSE)

    # Of ids: the length of the gradient by the vector that is looked up.
    times = SaliencyDisplay.from_estimator(
        fitted, mixed, target="ab", method="gradient_times_input"
    )
    table = fitted.weights_["embedding.weight_0"]
    ids = fitted._reader.inputs(fitted._read_new(mixed[:1], None)[0]).tokens[:, 0]
    before = table.copy()
    once = [(step, i) for step, i in enumerate(ids) if np.count_nonzero(ids == i) == 1]
    assert once
    for step, i in once:
        slopes = []
        for place in range(table.shape[1]):
            scores = []
            for sign in (1, -1):
                table[i, place] = before[i, place] + sign * STEP
                scores.append(raw_scores(fitted, x)[0, 0])
                table[i, place] = before[i, place]
            slopes.append((scores[0] - scores[1]) / (2 * STEP))
        length = np.linalg.norm(slopes)
        np.testing.assert_allclose(display.saliency[step, 1], length, rtol=1e-6)
        np.testing.assert_allclose(times.saliency[step, 1], slopes @ before[i], **CLOSE)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(
    "options",
    [{}, {"n_layers": 2, "bidirectional": True}, {"pooling": "mean", "dropout": 0.4}],
    ids=str,
)
def test_gradient_flow(cell, options):
    fitted = estimator(cell, "Classifier", max_iter=3, hidden_size=5, **options).fit(X, CLASSES)
    both = options.get("bidirectional", False)
    for layer in range(-options.get("n_layers", 1), 0):
        x = X[4]
        slopes = differences(lambda x, at=layer: fitted.hidden_states([x], layer=at)[0], x)
        last = [slopes[:, :, -1, :5], slopes[:, :, 0, 5:]][: 1 + both]
        expected = [np.sqrt((block**2).sum(axis=(1, 2))) for block in last]
        expected[0] = expected[0][::-1]
        display = GradientFlowDisplay.from_estimator(fitted, [x], layer=layer)
        np.testing.assert_allclose(display.norms, expected, rtol=1e-6, atol=1e-10)


def test_gradient_flow_is_the_root_of_the_mean_square_of_those_long_enough():
    fitted = estimator("GRU", "Classifier", max_iter=3).fit(X, CLASSES)
    some = [X[0][:3], X[1][:2], X[2][:3]]
    each = [GradientFlowDisplay.from_estimator(fitted, [x]).norms[0] for x in some]
    display = GradientFlowDisplay.from_estimator(fitted, some)
    first = np.sqrt(np.mean([norms[0] ** 2 for norms in each]))
    last = np.sqrt((each[0][2] ** 2 + each[2][2] ** 2) / 2)
    np.testing.assert_allclose(display.norms[0, [0, 2]], [first, last])


def test_gradient_flow_does_not_depend_on_how_many_units_run_at_once(monkeypatch):
    fitted = estimator("LSTM", "Classifier", max_iter=3).fit(X, CLASSES)
    whole = GradientFlowDisplay.from_estimator(fitted, X[:2]).norms
    monkeypatch.setattr("rnnkit.inspection.gradients.ROWS_AT_ONCE", 20)
    parts = GradientFlowDisplay.from_estimator(fitted, X[:2]).norms
    np.testing.assert_allclose(parts, whole, rtol=1e-13)  # a norm's sum follows its place in memory


def test_gradient_flow_leaves_out_what_makes_the_initial_state():
    rng = np.random.RandomState(0)
    steady = [np.column_stack([x, np.full(len(x), rng.randn())]) for x in X]
    fitted = estimator("LSTM", "Classifier", max_iter=3, static="state").fit(steady, CLASSES)
    x = steady[0]
    slopes = differences(
        lambda numbers: fitted.hidden_states([np.column_stack([numbers, x[:, 2]])])[0][-1],
        x[:, :2],
    )
    expected = np.sqrt((slopes**2).sum(axis=(1, 2)))[::-1]
    norms = GradientFlowDisplay.from_estimator(fitted, [x]).norms[0]
    np.testing.assert_allclose(norms, expected, rtol=1e-6, atol=1e-10)
    # Saliency has it at the first step, as the layer looks there.
    saliency = SaliencyDisplay.from_estimator(fitted, steady).saliency
    assert saliency[0, 2] != 0
    assert not saliency[1:, 2].any()


def test_the_network_stays_as_it_was():
    fitted = estimator("GRU", "Classifier", max_iter=3).fit(X, CLASSES)
    before = fitted.network_.parameters.flat.copy()
    inputs = fitted._reader.inputs(fitted._read_new(X[:1], None)[0])
    jacobian_norms(fitted.network_, "cpu", inputs, len(X[0]), -1)
    SaliencyDisplay.from_estimator(fitted, X)
    np.testing.assert_array_equal(fitted.network_.parameters.flat, before)


def test_backends_agree():
    fitted = estimator("GRU", "Classifier", max_iter=3).fit(X, CLASSES)
    cpu = GradientFlowDisplay.from_estimator(fitted, X[:2]).norms
    fitted.device = "reference"
    reference = GradientFlowDisplay.from_estimator(fitted, X[:2]).norms
    np.testing.assert_allclose(cpu, reference, rtol=1e-10)
