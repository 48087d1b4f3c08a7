"""Generators of series as estimators: what they make, forms, conditions, what is refused."""

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from estimators.options import FORMS, OPTIONS, WITHOUT_RESULT
from estimators.problems import CELLS
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from tolerances import assert_close

import rnnkit
from rnnkit.estimators.adversarial.codecs import MadeSteps
from rnnkit.estimators.codecs import codec_from_dict
from rnnkit.estimators.parameters.field import entries_of
from rnnkit.inspection import GateActivationDisplay, HiddenStateDisplay, SaliencyDisplay
from rnnkit.persistence import pytorch
from rnnkit.preprocessing import SequenceScaler
from rnnkit.training import LBFGS, Adaptive

BALANCE = np.log(2)


def waves(n=40, seed=0, dtype="f8"):
    """Sequences (T_i, 2) of different lengths: two sines of a random phase."""
    rng = np.random.RandomState(seed)
    phases = rng.uniform(0, 6, n)
    return [
        (100 + 7 * np.sin(np.arange(t)[:, None] / 2 + phase + [0, 1])).astype(dtype)
        for t, phase in zip(rng.randint(4, 12, n), phases)
    ]


def small(cell="GRU", **parameters):
    settings = {"hidden_size": 8, "max_iter": 4, "random_state": 0}
    return getattr(rnnkit, f"{cell}SeriesGenerator")(**{**settings, **parameters})


def same(one, other):
    """Whether two lists of series have the same bits."""
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_conditions_of_others_are_refused():
    X = rnnkit.Sequences.from_list(waves(4), ids=list("abcd"))
    y = pd.DataFrame({"a": np.arange(4.0), "b": np.ones(4)}, index=X.ids)
    model = small(max_iter=1).fit(X, y)
    for call in (model.fit, model.partial_fit, model.decision_function):
        with pytest.raises(ValueError, match="index of y has the ids of X in another order"):
            call(X, y[::-1])
    for call in (model.partial_fit, model.decision_function):
        with pytest.raises(ValueError, match="y must have the columns of fit"):
            call(X, y[["b", "a"]])
    with pytest.raises(ValueError, match="y must have the columns of fit"):
        model.sample(2, y=y[["b", "a"]][:2])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", CELLS)
def test_what_is_made_follows_from_the_weights(cell, dtype):
    X = waves(dtype=dtype)
    model = small(cell).fit(X)
    lengths = np.array([3, 5, 1])
    made = model.sample(3, lengths, random_state=3)
    assert [x.shape for x in made] == [(3, 2), (5, 2), (1, 2)]
    assert {x.dtype.str[1:] for x in made} == {dtype}
    assert same(made, model.sample(3, lengths, random_state=3))
    assert not same(made, model.sample(3, lengths, random_state=4))
    for curve in (model.loss_curve_, model.discriminator_loss_curve_):
        assert len(curve) == model.n_iter_ == 4
        assert np.isfinite(curve).all()
        assert abs(curve[0] - BALANCE) < 0.4
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_epoch_ is None
    assert {name.split(".")[0] for name in model.weights_} == {"generator", "rnn", "head"}
    rng = np.random.RandomState(3)  # the noise, as it is documented: of sequences, then of steps
    kept, steps = rng.standard_normal((3, 8)), rng.standard_normal((9, 8))
    given = np.concatenate([steps, np.repeat(kept, lengths, axis=0)], axis=1)
    parts = np.split(given.astype(dtype), np.cumsum(lengths)[:-1])
    weights = {
        name.removeprefix("generator."): array
        for name, array in model.weights_.items()
        if name.startswith("generator.")
    }
    assert weights["head.weight"].shape == (2, 8)
    states = [_states(cell, part, weights) for part in parts]
    output = model.network_.output
    for x, h in zip(made, states):
        scores = h @ weights["head.weight"].T + weights["head.bias"]
        assert_close(x, scores * output.scale + output.center, dtype, 1000)


def _states(cell, x, weights):
    """The states of a cell from its equations, step by step."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    h = c = np.zeros(8, x.dtype)
    states = []
    for step in x:
        inner = weights["weight_ih_l0"] @ step + weights["bias_l0"]
        if cell == "GRU":
            recurrent = weights["weight_hh_l0"] @ h
            recurrent[16:] += weights["bias_hn_l0"]
            r, z = sigmoid(inner[:8] + recurrent[:8]), sigmoid(inner[8:16] + recurrent[8:16])
            h = (1 - z) * np.tanh(inner[16:] + r * recurrent[16:]) + z * h
        else:
            a = inner + weights["weight_hh_l0"] @ h
            if cell == "RNN":
                h = np.tanh(a)
            else:
                i, f, g, o = np.split(a, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def test_it_learns_where_and_how_wide_series_lie():
    rng = np.random.RandomState(0)
    X = [1000 + 5 * rng.standard_normal() + rng.standard_normal((10, 1)) for _ in range(200)]
    made = small(hidden_size=16, max_iter=60).fit(X).sample(300, 10, random_state=0)
    means = np.array([x.mean() for x in made])
    assert abs(means.mean() - 1000) < 3
    assert 2 < means.std() < 9  # every sequence has a level of its own


def test_labels_are_kept_apart():
    rng = np.random.RandomState(0)
    y = np.array(["low", "high"])[np.arange(120) % 2]
    X = [(3.0 if label == "high" else -3.0) + rng.standard_normal((8, 1)) for label in y]
    model = small(hidden_size=16, max_iter=60).fit(X, y)
    assert model.classes_.tolist() == ["high", "low"]
    made, labels = model.sample(100, random_state=0)
    assert set(labels) == {"high", "low"}
    means = np.array([x.mean() for x in made])
    assert np.all((means > 0) == (labels == "high"))
    made, labels = model.sample(5, y="low", random_state=0)
    assert labels.tolist() == ["low"] * 5
    assert all(x.mean() < 0 for x in made)
    right, wrong = model.decision_function(X, y), model.decision_function(X, y[::-1])
    assert right.mean() > wrong.mean()
    odds = np.array([model.decision_function(X, label) for label in model.classes_])
    assert_close(model.decision_function(X), np.log(np.exp(odds).mean(axis=0)), np.float64, 100)


def test_numbers_are_conditions_too():
    rng = np.random.RandomState(0)
    level = rng.uniform(-2, 2, 120)
    X = [each + 0.1 * rng.standard_normal((6, 1)) for each in level]
    model = small(hidden_size=16, max_iter=80).fit(X, level)
    asked = np.array([-1.5, 0.0, 1.5])
    made, given = model.sample(y=asked, random_state=0)
    assert given.tolist() == asked.tolist()
    means = [x.mean() for x in made]
    assert means[0] < means[1] < means[2]
    several = small().fit(X, np.stack([level, -level], axis=1))
    assert several.sample(2, y=[[1.0, -1.0]] * 2)[1].tolist() == [[1.0, -1.0]] * 2
    assert several.sample(y=[1.0, -1.0])[1].tolist() == [[1.0, -1.0]]
    assert several.sample(y=[[1.0, -1.0]] * 3)[1].shape == (3, 2)
    with pytest.raises(ValueError, match=r"y must be given as in fit, 1 numbers"):
        model.sample(2)
    with pytest.raises(ValueError, match=r"y must be given as in fit"):
        model.decision_function(X)
    with pytest.raises(AttributeError, match="y was no labels"):
        model.classes_  # noqa: B018 what it raises


def test_lengths_are_drawn_as_they_were_seen():
    rng = np.random.RandomState(0)
    X = [rng.standard_normal((t, 1)) for t in [3] * 30 + [7] * 10 + [5] * 20]
    y = ["a"] * 40 + ["b"] * 20
    model = small().fit(X, y, sample_weight=[1.0] * 30 + [3.0] * 10 + [0.0] * 19 + [1.0])
    made, labels = model.sample(2000, random_state=0)
    lengths = np.array([len(x) for x in made])
    assert set(lengths[labels == "a"]) == {3, 7}
    assert abs(np.mean(lengths[labels == "a"] == 7) - 0.5) < 0.05
    assert set(lengths[labels == "b"]) == {5}
    assert abs(np.mean(labels == "b") - 1 / 61) < 0.01
    assert len(model.sample(length=[2, 3], y="b")[0]) == 2
    other = small().partial_fit(X[:30]).partial_fit(X[30:])
    assert {len(x) for x in other.sample(200, random_state=0)} == {3, 5, 7}


FORM = ["array", "rows", "list", "tuple", "objects", "sequences", "flat list", "frame"]


@pytest.mark.parametrize("form", FORM)
def test_made_series_have_the_form_of_X(form):
    dense = np.random.RandomState(0).standard_normal((20, 6, 1))
    objects = np.empty(20, dtype=object)
    objects[:] = list(dense)
    X = {
        "array": dense,
        "rows": dense[:, :, 0],
        "list": list(dense),
        "tuple": tuple(dense),
        "objects": objects,
        "sequences": rnnkit.Sequences.from_list(list(dense)),
        "flat list": list(dense[:, :, 0]),
        "frame": pd.DataFrame(dense[:, :, 0], columns=[f"t{t}" for t in range(6)]),
    }[form]
    model = small().fit(X)
    made = model.sample(3, random_state=0)
    expected = small().fit(dense).sample(3, random_state=0)
    if form in ("array", "rows", "frame"):
        assert made.shape == ((3, 6, 1) if form == "array" else (3, 6))
        padded = model.sample(2, [4, 6], random_state=0)
        assert padded.shape[:2] == (2, 6)
        assert not padded[0, 4:].any()
    elif form == "sequences":
        assert isinstance(made, rnnkit.Sequences)
    for own, other in zip(made, expected):
        np.testing.assert_array_equal(np.ravel(own), np.ravel(other))
    assert len(model.decision_function(X)) == 20
    assert_close(model.decision_function(X), small().fit(dense).decision_function(dense), "f8")


def test_padded_ones_are_read_to_their_lengths():
    X = waves()
    padded, lengths = rnnkit.Sequences.from_list(X).to_padded(fill=np.nan)
    one, other = small().fit(X), small().fit(padded, lengths=lengths)
    np.testing.assert_array_equal(
        one.decision_function(X), other.decision_function(padded, lengths=lengths)
    )
    assert same(one.sample(3, 5, random_state=0), list(other.sample(3, 5, random_state=0)))


def test_what_is_made_does_not_depend_on_the_unit_of_X():
    X = waves()
    one = small().fit(X)
    large = small().fit([x * 1024 for x in X])
    np.testing.assert_array_equal(one.network_.parameters.flat, large.network_.parameters.flat)
    made = zip(one.sample(3, random_state=0), large.sample(3, random_state=0))
    assert all(np.array_equal(x * 1024, y) for x, y in made)
    constant = small().fit([np.full((4, 2), 7.0) + [0, i % 2] for i in range(10)])
    assert all(np.isfinite(x).all() for x in constant.sample(5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small().fit(X)  # scaled inside: no word of that


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", CELLS)
def test_bits_for_any_number_of_threads_and_any_neighbours(cell, dtype, n_threads_limit):
    X = waves(150, dtype=dtype)
    options = {"hidden_size": 40, "n_layers": 2, "dropout": 0.2, "input_noise": 0.1}

    def answers():
        model = small(cell, **options).fit(X, np.arange(150) % 3)
        return model, model.sample(200, random_state=0), model.decision_function(X)

    with n_threads_limit(1):
        model, made, realness = answers()
    with n_threads_limit(4):
        other, other_made, other_realness = answers()
    np.testing.assert_array_equal(model.network_.parameters.flat, other.network_.parameters.flat)
    assert same(made[0], other_made[0])
    np.testing.assert_array_equal(realness, other_realness)
    np.testing.assert_array_equal(model.decision_function(X[3:4]), realness[3:4])
    with sklearn.config_context(working_memory=0.05):
        assert same(model.sample(200, random_state=0)[0], made[0])
        np.testing.assert_array_equal(model.decision_function(X), realness)


@pytest.mark.parametrize("pooling", ["last", None])
def test_the_reference_computes_the_same(pooling):
    X = waves(20)
    one = small(pooling=pooling, batch_size=10).fit(X, np.arange(20) % 2)
    other = small(pooling=pooling, batch_size=10, device="reference").fit(X, np.arange(20) % 2)
    assert_close(other.network_.parameters.flat, one.network_.parameters.flat, "f8", 1e6)
    assert_close(other.decision_function(X), one.decision_function(X), "f8", 1e6)
    for x, y in zip(one.sample(3, random_state=0)[0], other.sample(3, random_state=0)[0]):
        assert_close(x, y, "f8", 1e6)


def test_going_on():
    X = waves()
    whole = small(learning_rate="constant").fit(X)
    parts = small(learning_rate="constant")
    for _ in range(2):
        parts.partial_fit(X)
    parts = pickle.loads(pickle.dumps(parts))
    for _ in range(2):
        parts.partial_fit(X)
    assert parts.t_ == whole.t_ == 160
    np.testing.assert_array_equal(parts.network_.parameters.flat, whole.network_.parameters.flat)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.discriminator_loss_curve_ == whole.discriminator_loss_curve_
    warm = small(warm_start=True).fit(X)
    first = warm.network_.parameters.flat.copy()
    warm.fit(X)
    assert len(warm.loss_curve_) == len(warm.discriminator_loss_curve_) == 8
    assert not np.array_equal(first, warm.network_.parameters.flat)
    with pytest.raises(ValueError, match="y must be None as in fit"):
        warm.fit(X, [0] * 40)
    labelled = small().partial_fit(X, ["a", "b"] * 20)
    with pytest.raises(ValueError, match="y must hold labels seen in fit"):
        labelled.partial_fit(X, ["a", "c"] * 20)
    with pytest.raises(ValueError, match=r"y must be given as in fit, labels as \['a', 'b'\]"):
        labelled.partial_fit(X)


@pytest.mark.parametrize("at", [1, 2])
def test_a_fit_that_fails_has_changed_nothing(at):
    X = waves()

    def fail(number):
        if number >= at:
            raise RuntimeError("no more")

    for method in ("fit", "partial_fit"):
        model = small(learning_rate="constant").partial_fit(X)
        expected = copy.deepcopy(model).partial_fit(X)
        before = pickle.loads(pickle.dumps(model))
        model.set_callbacks(lambda epoch: fail(epoch.epoch))
        with pytest.raises(RuntimeError):
            getattr(model, method)(X)
        model.set_callbacks()
        after = pickle.loads(pickle.dumps(model))
        assert vars(after).keys() == vars(before).keys()
        assert after.n_iter_ == before.n_iter_
        assert after.loss_curve_ == before.loss_curve_
        np.testing.assert_array_equal(
            after.network_.parameters.flat, before.network_.parameters.flat
        )
        model.partial_fit(X)
        np.testing.assert_array_equal(
            model.network_.parameters.flat, expected.network_.parameters.flat
        )
        assert model.loss_curve_ == expected.loss_curve_
        assert model.discriminator_loss_curve_ == expected.discriminator_loss_curve_


def test_ctrl_c_keeps_the_epochs_that_were():
    def stop(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    model = small().set_callbacks(stop)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(waves())
    assert len(model.loss_curve_) == len(model.discriminator_loss_curve_) == 2
    assert len(model.sample(2)) == 2


def test_losses_that_are_not_finite_end_a_fit():
    settings = {"activation": "relu", "learning_rate_init": 1e300, "clip_norm": None}
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="not finite"):
        model = small("RNN", solver="sgd", max_iter=20, **settings).fit(waves())
    assert np.isfinite(model.network_.parameters.flat).all()
    assert len(model.discriminator_loss_curve_) == len(model.loss_curve_)


def test_callbacks_see_both_losses_and_what_is_learnt(capsys):
    seen = []

    def look(epoch):
        seen.append((epoch.logs["loss"], epoch.logs["discriminator_loss"]))
        fitted = epoch.fitted()
        assert len(fitted.discriminator_loss_curve_) == len(seen)
        assert len(fitted.sample(2)) == 2
        return len(seen) == 3

    model = small(verbose=2).set_callbacks(look).fit(waves())
    assert seen == list(zip(model.loss_curve_, model.discriminator_loss_curve_))
    assert len(seen) == 3
    told = capsys.readouterr().out
    assert f"discriminator loss = {seen[0][1]:.8f}" in told
    assert "best" not in told


def test_files_pickles_and_clones(tmp_path):
    X = waves()
    path = tmp_path / "model.rnnkit"
    for y in (None, ["a", "b"] * 20, [True, False] * 20, np.random.RandomState(0).rand(40, 2)):
        model = small("LSTM").fit(X, y)
        rnnkit.save(model, path)
        known = {} if y is None else {"y": y}
        for other in (rnnkit.load(path), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            realness = model.decision_function(X, **known)
            np.testing.assert_array_equal(other.decision_function(X, **known), realness)
            one = model.sample(40, random_state=0, **known)
            two = other.sample(40, random_state=0, **known)
            assert same(*((one, two) if y is None else (one[0], two[0])))
            assert other.loss_curve_ == model.loss_curve_
            assert other.discriminator_loss_curve_ == model.discriminator_loss_curve_
            if isinstance(y, list):
                assert other.classes_.tolist() == model.classes_.tolist()
    assert clone(model).get_params() == model.get_params()
    half = small().partial_fit(X)
    rnnkit.save(half, path, include_training_state=True)
    other = rnnkit.load(path).partial_fit(X)
    half.partial_fit(X)
    np.testing.assert_array_equal(other.network_.parameters.flat, half.network_.parameters.flat)


@pytest.mark.parametrize(
    "seen", [[], [[0, 0, 1.0]], [[2, 3, 1.0]], [[0, 3, -1.0]], [[0, 3, 0.0]], [[0, 3, "1"]]]
)
def test_a_file_that_tells_nonsense_of_lengths_is_refused(seen):
    sequences = rnnkit.Sequences.from_list(waves())
    form = type("Form", (), {"kind": "list", "is_flat": False})
    codec = MadeSteps.learn(["a", "b"] * 20, sequences, form)
    codec = codec.seeing(sequences.lengths, codec.numbers(["a", "b"] * 20, 40), None)
    plain = codec.to_dict()
    assert codec_from_dict(plain).to_dict() == plain
    with pytest.raises(ValueError, match="it has seen"):
        codec_from_dict({**plain, "seen": seen})


def test_in_pipelines():
    dense = np.stack([x[:4] for x in waves(60)])
    pipeline = make_pipeline(SequenceScaler(), small()).fit(dense)
    assert pipeline[-1].sample(3).shape == (3, 4, 2)
    assert pipeline.decision_function(dense).shape == (60,)


def results(model, X, y):
    made = model.sample(4, random_state=0, y=y[:4])[0]
    realness = model.decision_function(X, y)
    return (
        model.network_.parameters.flat.tobytes(),
        [np.asarray(x).tobytes() for x in made],
        realness.tobytes(),
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.filterwarnings("ignore")
def test_every_option_changes_the_result_with_every_method_or_is_refused(cell, tmp_path):
    y = np.arange(len(FORMS["numbers"])) % 2
    wrong, usual = [], {}
    others = {"learning_rate": "constant", "pooling": None}
    for parameter, (default, _) in entries_of(type(small(cell))).items():
        if parameter in WITHOUT_RESULT:
            continue
        value, needs, form = OPTIONS[parameter]
        value = others.get(parameter, value)
        assert value != default
        X = FORMS[form]
        key = form, tuple(needs.items())
        if key not in usual:
            usual[key] = results(small(cell, **needs).fit(X, y), X, y)
        try:
            model = small(cell, **{**needs, parameter: value}).fit(X, y)
        except (ValueError, TypeError) as error:
            if not re.search(rf"\b{parameter}\b", str(error)):
                wrong.append((parameter, error))
            continue
        found = results(model, X, y)
        if found == usual[key]:
            wrong.append((parameter, "changes nothing"))
        path = tmp_path / "model.rnnkit"
        rnnkit.save(model, path)
        for other in (rnnkit.load(path), clone(model).fit(X, y), pickle.loads(pickle.dumps(model))):
            if results(other, X, y) != found:
                wrong.append((parameter, other))
        once = clone(model).partial_fit(X, y)
        other = pickle.loads(pickle.dumps(once)).partial_fit(X, y)
        if results(other, X, y) != results(once.partial_fit(X, y), X, y):
            wrong.append((parameter, "partial_fit"))
        if len(model.set_params(warm_start=True).fit(X, y).loss_curve_) <= model.n_iter_:
            wrong.append((parameter, "warm_start"))
    assert wrong == []


def test_what_it_does_not_do_is_refused_by_name():
    X = waves()
    model = small().fit(X)
    for name in ("predict", "score", "stream", "hidden_states", "gate_activations"):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError) as error:
            getattr(model, name)
        assert "has sample and decision_function in place" in str(error.value.__cause__)
    for display in (HiddenStateDisplay, GateActivationDisplay, SaliencyDisplay):
        with pytest.raises(TypeError, match="no display looks into a GRUSeriesGenerator"):
            display.from_estimator(model, X)
    for export in (rnnkit.to_onnx, pytorch.to_state_dict):
        with pytest.raises(ValueError, match="takes no generator of series, got GRUSeriesGener"):
            export(model)
    for name in ("embedding_dim", "early_stopping", "bptt_steps", "tol", "static", "monitor"):
        with pytest.raises(TypeError, match=name):
            rnnkit.GRUSeriesGenerator(**{name: 1})
    with pytest.raises(TypeError, match="validation_data"):
        small().fit(X, validation_data=X)
    for parameter, value in [
        ("solver", "lbfgs"), ("solver", LBFGS()), ("learning_rate", "adaptive"),
        ("learning_rate", Adaptive()), ("pooling", "rows"), ("noise_size", -1),
    ]:  # fmt: skip
        for method in ("fit", "partial_fit"):
            fresh = small(**{parameter: value})
            with pytest.raises(ValueError, match=f"'{parameter}' parameter of GRUSeriesGenerator"):
                getattr(fresh, method)(X)
            assert not hasattr(fresh, "network_")
    with pytest.raises(ValueError, match=r"'noise_size' parameter .* sequence_noise_size=0"):
        small(noise_size=0, sequence_noise_size=0).fit(X)
    with pytest.raises(ValueError, match="X"):
        small().fit([["a", "b"], ["b", "a", "c"]])


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3"])
def test_a_number_of_series_that_is_none_is_refused(n):
    with pytest.raises(
        ValueError, match=re.escape(f"n must be an integer of at least 1, got {n!r}")
    ):
        small().fit(waves()).sample(n)


@pytest.mark.parametrize("length", [0, [2, 3], 2.5, "3", [1, 2, 0], True])
def test_lengths_that_are_none_are_refused(length):
    with pytest.raises(ValueError, match="length must be an integer of at least 1, or 3 of them"):
        small().fit(waves()).sample(3, length)


@pytest.mark.parametrize(
    "y, message",
    [
        (["a"] * 39, "inconsistent numbers of samples"),
        (["a", None] * 20, "y must not hold missing labels"),
        ([0.5, np.nan] * 20, "y contains NaN"),
        (np.zeros((40, 2, 2)), "y must be labels"),
    ],
)
def test_a_y_that_is_none_is_refused(y, message):
    model = small()
    with pytest.raises(ValueError, match=message):
        model.fit(waves(), y)
    assert not hasattr(model, "network_")
    with pytest.raises(ValueError, match="y must be None as in fit"):
        model.fit(waves()).sample(2, y="a")


def test_widths_of_layers_are_those_of_both():
    model = small(hidden_size=(5, 3)).fit(waves())
    widths = [layer.specs[0].hidden_size for layer in model.network_.recurrent_layers]
    assert widths == [5, 3, 5, 3]
    with pytest.raises(ValueError, match="'hidden_size' parameter"):
        small(hidden_size=()).fit(waves())


def test_a_network_that_fits_no_memory_is_refused():
    model = small(hidden_size=10**6)
    with pytest.raises(MemoryError, match="hidden_size=1000000"):
        model.fit(waves())
    assert not hasattr(model, "network_")


def test_what_nobody_asks_for_is_not_imported():
    import subprocess
    import sys

    code = (
        "import sys, rnnkit; print('rnnkit.estimators.adversarial.model' in sys.modules); "
        "print(rnnkit.GRUSeriesGenerator.__name__)"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stdout.split() == ["False", "GRUSeriesGenerator"], run.stderr
