"""Evolino against plain loops, lstsq and what its fitness says."""

import pickle

import numpy as np
import pytest
from estimators.problems import numbers_of, padded, ragged
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import rnnkit
from rnnkit.estimators.reservoir.evolution import EVOLUTIONS, evolve
from rnnkit.estimators.reservoir.moments import Moments, Readout

NAMES = [name for name in rnnkit.__all__ if name.startswith("Evolino")]
X = ragged()
TARGETS = {
    "EvolinoRegressor": np.array([x.sum() for x in X]),
    "EvolinoSequenceRegressor": numbers_of(X),
}
WAVE = np.sin(0.2 * np.arange(700)) + np.sin(0.311 * np.arange(700))
SEVERAL = [WAVE[:60], WAVE[100:190], WAVE[300:380]]


def small(name, **parameters):
    settings = dict(hidden_size=4, population=8, generations=3, alpha=0.1, input_scaling=1.0)
    return getattr(rnnkit, name)(**{**settings, "random_state": 0, **parameters})


def nearly_linear(**parameters):
    settings = dict(population=8, generations=2, input_scaling=1e-3, washout=20, random_state=0)
    return rnnkit.EvolinoSequenceRegressor(5, **{**settings, **parameters})


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def alone(model, x, n_read, n_steps):
    """What the network says that reads n_read steps and then its own outputs, step by step."""
    weights, n_units = model.weights_, model.hidden_size
    output = model.network_.output
    h = c = np.zeros(n_units)
    said = None
    answers = []
    for t in range(n_read + n_steps):
        step = x[t : t + 1] if t < n_read else said
        summed = weights["rnn.weight_ih_l0"] @ step + weights["rnn.weight_hh_l0"] @ h
        i, f, g, o = np.split(summed + weights["rnn.bias_l0"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        raw = weights["head.weight"] @ h + weights["head.bias"]
        said = raw * output.scale + output.center
        if t >= n_read:
            answers.append(raw)
    return np.array(answers)


@pytest.mark.parametrize("horizon", [None, 15])
def test_the_error_of_a_forecast_is_that_of_a_loop(horizon):
    inputs, targets = [x[:-1] for x in SEVERAL], [x[1:] for x in SEVERAL]
    model = nearly_linear(horizon=horizon, alpha=1e-9).fit(inputs, targets)
    output = model.network_.output
    errors = []
    for x, y in zip(inputs, targets):
        n_read = 20 if horizon is None else len(x) - horizon
        expected = (y[n_read:] - output.center) / output.scale
        errors.append((alone(model, x, n_read, len(x) - n_read)[:, 0] - expected) ** 2)
    assert model.error_curve_[-1] == pytest.approx(np.concatenate(errors).mean(), rel=1e-5)


def test_the_error_of_next_steps_is_that_of_steps_that_were_held():
    y = numbers_of(X)
    weights = np.arange(len(X)) % 3 + 0.5
    model = small("EvolinoSequenceRegressor", alpha=1e-3, validation_fraction=0.4)
    model.fit(X, y, sample_weight=weights)
    output, states = model.network_.output, model.hidden_states(X)
    held = [np.arange(len(x)) >= len(x) - max(1, np.rint(0.4 * len(x))) for x in X]
    rows, is_held = np.concatenate(states), np.concatenate(held)
    target = (np.concatenate(y) - output.center) / output.scale
    weight = np.repeat(weights, [len(x) for x in X])
    seen = ~is_held
    means = [np.average(a[seen], axis=0, weights=weight[seen]) for a in (rows, target)]
    centred = rows[seen] - means[0]
    products = centred.T @ (weight[seen, None] * centred) + 1e-3 * np.eye(4)
    slopes = np.linalg.solve(products, centred.T @ (weight[seen] * (target[seen] - means[1])))
    missed = (rows[is_held] - means[0]) @ slopes + means[1] - target[is_held]
    expected = np.average(missed**2, weights=weight[is_held])
    assert model.error_curve_[-1] == pytest.approx(expected, rel=1e-6)


def test_the_readout_is_the_pseudo_inverse_of_all_steps_after_the_washout():
    inputs, targets = [x[:-1] for x in SEVERAL], [x[1:] for x in SEVERAL]
    for judged_by in ("forecast", "next"):
        model = nearly_linear(judged_by=judged_by).fit(inputs, targets)
        rows = np.concatenate([h[20:] for h in model.hidden_states(inputs)])
        y = np.concatenate([t[20:] for t in targets])
        rows = rows - rows.mean(axis=0)
        best, *_ = np.linalg.lstsq(rows, y - y.mean(), rcond=1e-9)
        fits = np.concatenate([p[20:] for p in model.predict(inputs)])
        assert np.abs(fits - (rows @ best + y.mean())).max() < 1e-6


def test_a_regressor_is_judged_by_cross_validation():
    y = TARGETS["EvolinoRegressor"]
    model = small("EvolinoRegressor").fit(X, y)
    output = model.network_.output
    last = np.array([h[-1] for h in model.hidden_states(X)])
    sums = Moments.nothing(4, 1).plus(last, output.to_scores(y[:, None]))
    assert model.error_curve_[-1] == pytest.approx(sums.crossed_error(0.1), rel=1e-9)


def test_errors_from_sums_are_those_of_rows():
    rng = np.random.RandomState(0)
    states, targets, weights = rng.randn(30, 3), rng.randn(30, 2), rng.uniform(0, 2, (30, 2))
    readout = Readout(rng.randn(2, 3), rng.randn(2), 0.0, np.zeros(2))
    missed = (states @ readout.weight.T + readout.bias - targets) ** 2
    for w in (weights, weights[:, 0]):
        expected = sum(np.average(missed[:, k], weights=w if w.ndim == 1 else w[:, k])
                       for k in range(2))  # fmt: skip
        error = Moments.nothing(3, 2).plus(states, targets, w).error(readout)
        assert error == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", EVOLUTIONS)
def test_evolution_finds_a_minimum(kind):
    aim = np.random.RandomState(1).uniform(-1, 1, 12)
    tried = []

    def worth(genes):
        tried.append(genes.copy())
        return float(np.sum((genes - aim) ** 2))

    units = np.arange(12).reshape(3, 4)
    settings = dict(population=20, mutation=0.01, rng=np.random.RandomState(0))
    best = evolve(kind, worth, units, generations=60, **settings)
    errors = [np.sum((genes - aim) ** 2) for genes in tried]
    assert len(errors) == 20 * 60
    assert best.curve == list(np.minimum.accumulate(errors)[19::20])
    assert worth(best.genes) == best.curve[-1] < 0.05 * best.curve[0]


def test_genes_belong_to_the_unit_that_they_lead_to():
    """A unit whose genes alone differ is the one whose weights differ."""
    from rnnkit.estimators.reservoir.candidates import Genome

    options = dict(peephole=True, bidirectional=True, fixed_gates=("f",), judged_by="next")
    model = small("EvolinoSequenceRegressor", **options)
    model.fit(X, numbers_of(X))
    network = model.network_
    scales = {"weight_ih": 1.0, "weight_hh": 2.0, "bias": 3.0}
    genome = Genome(network.recurrent_layers[0], network.parameters, scales)
    assert sorted(genome.units.ravel()) == list(range(genome.units.size))
    genes = np.zeros(genome.units.size)
    genome.express(genes)
    before = {name: array.copy() for name, array in network.parameters.items()}
    for unit, places in enumerate(genome.units):
        genes[:] = 0
        genes[places] = 1
        genome.express(genes)
        for name, array in network.parameters.items():
            changed = (array != before[name]).reshape(len(array), -1).any(axis=1)
            of_direction = name.endswith("_reverse") == (unit >= 4)
            if name.startswith("head") or not of_direction:
                assert not changed.any()
                continue
            blocks = changed.reshape(-1, 4)
            assert blocks[:, unit % 4].sum() == len(blocks) - 1  # the forget gate is always open
            assert blocks.sum() == len(blocks) - 1


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bits(name, monkeypatch):
    weights = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        for evolution in EVOLUTIONS:
            model = small(name, evolution=evolution).fit(X, TARGETS[name])
            weights.append(model.network_.parameters.flat.tobytes())
    assert weights[0] == weights[2] != weights[1] == weights[3]
    other = small(name, random_state=1).fit(X, TARGETS[name])
    assert other.network_.parameters.flat.tobytes() != weights[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_reference_finds_the_same_candidate(name, dtype):
    data = [x.astype(dtype) for x in X]
    ours, plain = (small(name, device=device).fit(data, TARGETS[name])
                   for device in ("cpu", "reference"))  # fmt: skip
    for key, weights in ours.weights_.items():
        if key.startswith("rnn"):
            assert weights.dtype == dtype
            assert np.array_equal(weights, plain.weights_[key])
    np.testing.assert_allclose(
        np.concatenate([np.ravel(p) for p in ours.predict(data)]),
        np.concatenate([np.ravel(p) for p in plain.predict(data)]),
        rtol=1e-3 if dtype == np.float32 else 1e-8,
        atol=1e-3 if dtype == np.float32 else 1e-8,
    )


@pytest.mark.parametrize("name", NAMES)
def test_copies_files_and_forms_answer_alike(name, tmp_path):
    y, model = TARGETS[name], small(name)
    model.fit(X, y)
    rnnkit.save(model, tmp_path / "model.rnn")
    dense, lengths = padded(X)
    said = model.predict(X)
    for other in (rnnkit.load(tmp_path / "model.rnn"), pickle.loads(pickle.dumps(model))):
        assert all(np.array_equal(a, b) for a, b in zip(said, other.predict(X)))
        assert other.error_curve_ == model.error_curve_
    for a, b, n in zip(said, model.predict(dense, lengths=lengths), lengths):
        assert np.array_equal(a, b[:n] if np.ndim(b) else b)
    steps = padded([t[:, None] for t in y])[0][..., 0] if "Sequence" in name else y
    again = clone(model).fit(dense, steps, lengths=lengths)
    assert again.network_.parameters.flat.tobytes() == model.network_.parameters.flat.tobytes()
    stream = model.stream()
    for step in X[0]:
        last = stream.step(step)
    assert last == (said[0][-1] if "Sequence" in name else said[0])
    onnx = pytest.importorskip("onnx")
    onnx.checker.check_model(rnnkit.to_onnx(model))


@pytest.mark.parametrize(
    "parameter, value",
    [
        ("population", 9),
        ("generations", 5),
        ("evolution", "differential"),
        ("mutation", 0.5),
        ("input_scaling", 0.5),
        ("recurrent_scaling", 0.5),
        ("bias_scaling", 0.5),
        ("forget_bias", 2.0),
        ("gate_bias", "chrono"),
        ("peephole", True),
        ("coupled_gates", True),
        ("fixed_gates", ("f",)),
        ("activation", "softsign"),
        ("gate_activation", "hard_sigmoid"),
        ("output_activation", "softsign"),
        ("bidirectional", True),
        ("alpha", "gcv"),
        ("washout", 1),
        ("validation_fraction", 0.6),
        ("pooling", "mean"),
        ("hidden_size", 3),
    ],
)
def test_every_option_changes_the_result(parameter, value):
    for name in NAMES:
        model = small(name)
        if parameter not in model.get_params():
            continue
        usual = clone(model).fit(X, TARGETS[name]).predict(X)
        other = model.set_params(**{parameter: value}).fit(X, TARGETS[name]).predict(X)
        assert any(np.any(a != b) for a, b in zip(usual, other)), name


def test_it_is_judged_by_its_forecast_where_targets_are_next_steps():
    inputs, targets = [x[:-1] for x in SEVERAL], [x[1:] for x in SEVERAL]
    by = {
        kind: nearly_linear(judged_by=kind).fit(inputs, targets).error_curve_
        for kind in ("auto", "forecast", "next")
    }
    assert by["auto"] == by["forecast"] != by["next"]
    gaps = [np.where(np.arange(len(t)) % 7 == 3, np.nan, t) for t in targets]
    assert nearly_linear().fit(inputs, gaps).error_curve_ == (
        nearly_linear(judged_by="forecast").fit(inputs, gaps).error_curve_
    )
    others = [t + 1e-3 for t in targets]
    assert nearly_linear().fit(inputs, others).error_curve_ == (
        nearly_linear(judged_by="next").fit(inputs, others).error_curve_
    )


def test_what_cannot_go_on_alone_is_refused():
    y = numbers_of(X)
    forecast = dict(judged_by="forecast")
    with pytest.raises(ValueError, match="feeds outputs back as inputs and needs as many: y has 1"):
        small("EvolinoSequenceRegressor", **forecast).fit(X, y)
    inputs, targets = [x[:-1] for x in SEVERAL], [x[1:] for x in SEVERAL]
    with pytest.raises(ValueError, match="judged_by='forecast' needs bidirectional=False"):
        nearly_linear(bidirectional=True, **forecast).fit(inputs, targets)
    known_first = [np.where(np.arange(len(t)) < 40, t, np.nan) for t in targets]
    with pytest.raises(ValueError, match="leaves no step with a target and a weight to go on"):
        nearly_linear(horizon=5, **forecast).fit(inputs, known_first)


@pytest.mark.parametrize(
    "parameters",
    [
        {"population": 7},
        {"generations": 0},
        {"mutation": -1.0},
        {"evolution": "cma"},
        {"judged_by": "loop"},
        {"horizon": 0},
        {"validation_fraction": 1.0},
        {"hidden_size": (3, 2)},
        {"input_scaling": -0.1},
        {"alpha": -1.0},
    ],
)
def test_a_wrong_parameter_is_named(parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"'{name}' parameter of EvolinoSequenceRegressor"):
        small("EvolinoSequenceRegressor", **parameters).fit(X, numbers_of(X))


def test_states_that_are_not_finite_are_told():
    model = small("EvolinoRegressor", activation="relu", recurrent_scaling=1e200)
    with pytest.raises(ValueError, match="no candidate has finite states"):
        model.fit(X, TARGETS["EvolinoRegressor"])
    assert not hasattr(model, "network_")


def test_it_is_searched_and_refuses_what_it_has_not():
    y = TARGETS["EvolinoRegressor"]
    model = small("EvolinoRegressor")
    search = GridSearchCV(model, {"hidden_size": [2, 6]}, cv=2).fit(X, y)
    assert search.best_params_["hidden_size"] == 6
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="has no partial_fit: every candidate"):
        _ = model.partial_fit
    with pytest.raises(TypeError, match="takes no callbacks"):
        model.set_callbacks(print)


def test_weights_count_as_repetitions():
    y = numbers_of(X)
    weights = np.arange(len(X)) % 3
    repeated = np.repeat(np.arange(len(X)), weights)
    whole = small("EvolinoSequenceRegressor").fit(X, y, sample_weight=weights)
    twice = small("EvolinoSequenceRegressor").fit(
        [X[i] for i in repeated], [y[i] for i in repeated]
    )
    np.testing.assert_allclose(whole.predict(X)[0], twice.predict(X)[0], rtol=1e-7, atol=1e-9)


def test_sums_of_sines_go_on_as_the_paper_wants():
    """Two sines: the paper's network of ten cells misses by .0042 of their deviation."""
    t = np.arange(1, 702)
    wave = np.sin(0.2 * t) + np.sin(0.311 * t)
    model = rnnkit.EvolinoSequenceRegressor(
        10, input_scaling=1e-4, washout=100, generations=5, random_state=0
    ).fit([wave[:400]], [wave[1:401]])
    missed = model.forecast([wave[:401]], 300)[0] - wave[401:]
    assert np.sqrt(np.mean(missed**2)) / wave[401:].std() < 0.0042
