"""Echo state networks against a plain loop, scikit-learn's Ridge and their own parts."""

import pickle

import numpy as np
import pytest
from estimators.problems import labels_of, numbers_of, padded, ragged, tags_of
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from tolerances import tolerance

import rnnkit
from rnnkit.network.reservoir import draw_recurrent, spectral_radius_of

NAMES = [name for name in rnnkit.__all__ if name.startswith("EchoState")]
X = ragged()
TARGETS = {
    "EchoStateClassifier": labels_of(X),
    "EchoStateRegressor": np.array([x.sum() for x in X]),
    "EchoStateSequenceRegressor": numbers_of(X),
    "EchoStateSequenceTagger": tags_of(X),
}


def small(name, **parameters):
    return getattr(rnnkit, name)(**{"hidden_size": 30, "random_state": 0, **parameters})


def first_arguments(name):
    y = TARGETS[name]
    labels = {"EchoStateClassifier": y, "EchoStateSequenceTagger": ["down", "up"]}
    return {"classes": np.unique(labels[name])} if name in labels else {}


def loop(weights, x, leak, begin=0.0):
    """The states of a leaky reservoir, step by step."""
    h, states = np.full(len(weights["rnn.bias_l0"]), begin), []
    for step in x:
        summed = weights["rnn.weight_ih_l0"] @ step + weights["rnn.weight_hh_l0"] @ h
        h = (1 - leak) * h + leak * np.tanh(summed + weights["rnn.bias_l0"])
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("leak", [1.0, 0.3, 1e-3])
def test_states_are_those_of_a_loop(leak, device, dtype):
    data = [x.astype(dtype) for x in X]
    model = small("EchoStateClassifier", leak=leak, device=device).fit(data, labels_of(X))
    for x, states in zip(data, model.hidden_states(data)):
        assert states.dtype == dtype
        assert np.abs(states - loop(model.weights_, x, leak)).max() < tolerance(dtype, 100)


@pytest.mark.parametrize(
    "n_units, density", [(1, 0.1), (2, 0.1), (40, 0.1), (40, 1.0), (700, 0.02)]
)
def test_the_spectral_radius_is_what_was_asked_for(n_units, density):
    matrix = draw_recurrent(n_units, density, np.random.RandomState(0))
    n_read = max(1, round(density * n_units))
    assert (np.count_nonzero(matrix, axis=1) == n_read).all()
    exact = np.abs(np.linalg.eigvals(matrix)).max()
    assert spectral_radius_of(matrix) == pytest.approx(exact, rel=1e-9)


def test_two_initial_states_become_one():
    rng = np.random.RandomState(1)
    model = small("EchoStateRegressor", leak=0.5).fit(X, TARGETS["EchoStateRegressor"])
    x = rng.randn(400, 2)
    ends = [loop(model.weights_, x, 0.5, begin)[-1] for begin in (-1.0, 1.0)]
    assert np.abs(ends[0] - ends[1]).max() < 1e-9


def test_the_readout_is_ridge():
    y = TARGETS["EchoStateRegressor"]
    weights = np.arange(len(y)) % 3.0
    model = small("EchoStateRegressor", alpha=0.1, pooling="last").fit(X, y, sample_weight=weights)
    states = np.array([h[-1] for h in model.hidden_states(X)])
    ridge = Ridge(alpha=0.1).fit(states, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict(X), ridge.predict(states), rtol=1e-8, atol=1e-9)


def test_cross_validation_chooses_as_the_formula_says():
    y = TARGETS["EchoStateRegressor"]
    tried = np.logspace(-6, 2, 9)
    model = small("EchoStateRegressor", alpha=tried.tolist()).fit(X, y)
    states = np.array([h.mean(axis=0) for h in model.hidden_states(X)])
    centred, target, n = states - states.mean(axis=0), (y - y.mean()) / y.std(), len(y)
    errors = []
    for alpha in tried:
        inverse = np.linalg.inv(centred.T @ centred + alpha * np.eye(30))
        fits = centred @ inverse @ centred.T
        free = 1 - (1 + np.trace(fits)) / n
        errors.append(((target - fits @ target) ** 2).sum() / free**2)
    assert model.alpha_ == tried[np.argmin(errors)]


@pytest.mark.parametrize("name", NAMES)
def test_parts_give_what_the_whole_gives(name):
    y, model = TARGETS[name], small(name, alpha=0.1)
    whole = clone(model).fit(X, y)
    parts = clone(model).partial_fit(X[:11], y[:11], **first_arguments(name))
    parts.partial_fit(X[11:], y[11:])
    after_fit = clone(model).fit(X[:11], y[:11]).partial_fit(X[11:], y[11:])
    for other in (parts, after_fit):
        assert (
            other.weights_["rnn.weight_hh_l0"].tobytes()
            == whole.weights_["rnn.weight_hh_l0"].tobytes()
        )
        if "Regressor" not in name:  # whose scores are in the unit of the first part
            got, expected = (m.weights_["head.weight"] for m in (other, whole))
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)
            continue
        for got, expected in zip(other.predict(X), whole.predict(X)):
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", ["vectors", "steps", "gaps"])
def test_parts_in_other_units_choose_and_tell_what_the_whole_does(shape, seed):
    rng = np.random.RandomState(seed)
    data = [rng.randn(6, 2) for _ in range(30)]
    targets = np.array([np.sin(3 * x) * x[:, ::-1] + 0.3 * rng.randn(6, 2) for x in data])
    targets[12:, :, 0] *= 40
    if shape == "gaps":
        targets[rng.rand(*targets.shape) < 0.2] = np.nan
    name = "EchoStateRegressor" if shape == "vectors" else "EchoStateSequenceRegressor"
    y = targets[:, -1] if shape == "vectors" else targets
    whole = small(name).fit(data, y)
    parts = small(name).partial_fit(data[:12], y[:12]).partial_fit(data[12:], y[12:])
    assert parts.alpha_ == pytest.approx(whole.alpha_, rel=1e-6)
    assert parts.loss_ == pytest.approx(whole.loss_, rel=1e-6)
    errors = (np.array(list(whole.predict(data))) - y) ** 2
    means = np.nanmean(errors.reshape(-1, 2), axis=0)
    assert whole.loss_ == pytest.approx(means.mean() / 2, rel=1e-6)


@pytest.mark.parametrize("unit", [1 / len(X), 2.0**-30, 2.0**-90])
@pytest.mark.parametrize("name", [*NAMES, "EvolinoRegressor", "EvolinoSequenceRegressor"])
def test_weights_smaller_than_counts_choose_as_none_do(name, unit):
    y, model = TARGETS[name.replace("Evolino", "EchoState")], small(name)
    if name.startswith("Evolino"):
        model.set_params(hidden_size=4, generations=2, population=8)
    whole = clone(model).fit(X, y)
    weighed = clone(model).fit(X, y, sample_weight=np.full(len(X), unit))
    answer = "predict" if "Regressor" in name else "decision_function"
    for got, expected in zip(*(np.array(getattr(m, answer)(X), object) for m in (weighed, whole))):
        np.testing.assert_allclose(np.float64(got), np.float64(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_sums_of_an_older_file_go_on(name):
    y = TARGETS[name]
    model = small(name).fit(X, y)
    older = clone(model).fit(X, y)
    del older._moments_rows
    for m in (model, older):
        m.partial_fit(X, y)
    assert older.alpha_ == model.alpha_


@pytest.mark.parametrize("name", NAMES)
def test_copies_files_and_forms_answer_alike(name, tmp_path):
    y, model = TARGETS[name], small(name, leak=0.5)
    model.fit(X, y)
    rnnkit.save(model, tmp_path / "model.rnn")
    dense, lengths = padded(X)
    said = model.predict(X)
    for other in (rnnkit.load(tmp_path / "model.rnn"), pickle.loads(pickle.dumps(model))):
        assert all(np.array_equal(a, b) for a, b in zip(said, other.predict(X)))
        other.partial_fit(X, y)  # goes on from the same sums
        again = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
        assert other.weights_["head.weight"].tobytes() == again.weights_["head.weight"].tobytes()
    for a, b, n in zip(said, model.predict(dense, lengths=lengths), lengths):
        assert np.array_equal(a, b[:n] if np.ndim(b) else b)
    stream = model.stream()
    for step in X[0]:
        last = stream.step(step)
    assert last == (said[0][-1] if "Sequence" in name else said[0])


def test_scores_decide():
    model = small("EchoStateClassifier").fit(X, labels_of(X))
    assert not hasattr(model, "predict_proba")
    scores = model.decision_function(X)
    assert np.array_equal(model.classes_[(scores > 0).astype(int)], model.predict(X))


def test_washout_steps_teach_nothing():
    y = numbers_of(X)
    wrong = [np.append([1e3, -1e3], t[2:]) for t in y]
    weights = [np.append([0, 0], np.ones(len(x) - 2)) for x in X]
    said = small("EchoStateSequenceRegressor", washout=2, alpha=0.1).fit(X, wrong)
    meant = small("EchoStateSequenceRegressor", alpha=0.1).fit(X, wrong, sample_weight=weights)
    np.testing.assert_allclose(said.predict(X)[0], meant.predict(X)[0], rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="washout=99 leaves no step"):
        small("EchoStateSequenceRegressor", washout=99).fit(X, y)


@pytest.mark.parametrize("alpha", ["ridge", -1.0, [], [1.0, -1.0], [[1.0]], np.nan, True])
def test_a_wrong_alpha_is_named(alpha):
    with pytest.raises(ValueError, match="'alpha' parameter of EchoStateRegressor"):
        small("EchoStateRegressor", alpha=alpha).fit(X, TARGETS["EchoStateRegressor"])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", TARGETS)
def test_states_that_grow_without_end_are_refused_by_name(name, dtype):
    long = np.random.RandomState(0).randn(4, 300, 2).astype(dtype)
    y = [0, 1, 0, 1] if "Classifier" in name else [0.5, 1.0, 2.0, 1.5]
    if "Sequence" in name:
        y = (long[:, :, 0] > 0).astype(int if "Tagger" in name else float)
    model = small(name, activation="relu", spectral_radius=40.0)
    with pytest.raises(ValueError, match=r"the reservoir's states.*spectral_radius=40\.0.*'relu'"):
        model.fit(long, y)
    assert not hasattr(model, "network_")
    model.set_params(activation="tanh").fit(long, y)


def test_a_changed_reservoir_cannot_go_on():
    y = TARGETS["EchoStateRegressor"]
    model = small("EchoStateRegressor").fit(X, y)
    with pytest.raises(ValueError, match=r"cannot go on training: spectral_radius.*; fit anew$"):
        model.set_params(spectral_radius=0.5).partial_fit(X, y)


def test_it_is_searched_and_refuses_callbacks():
    search = GridSearchCV(small("EchoStateClassifier"), {"leak": [0.3, 1.0]}, cv=2)
    assert search.fit(X, labels_of(X)).best_score_ > 0.6
    with pytest.raises(TypeError, match="takes no callbacks"):
        small("EchoStateClassifier").set_callbacks(print)


def test_a_closed_loop_goes_on():
    wave = np.sin(np.arange(400) / 5)
    model = rnnkit.EchoStateSequenceRegressor(50, washout=50, random_state=0)
    model.fit([wave[:299]], [wave[1:300]])
    assert np.abs(model.forecast([wave[:300]], 100)[0] - wave[300:]).max() < 0.01
