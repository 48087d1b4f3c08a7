"""Hints: each at what it is for, once in a fit, and never at usual data."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from estimators.problems import CELLS, estimator, labels_of, padded, ragged
from estimators.test_targets import TASKS, targets_of
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline

from rnnkit import (
    EchoStateRegressor,
    GRUAutoencoder,
    GRUSeriesGenerator,
    RecurrentFeatures,
    Sequences,
)
from rnnkit.estimators.hints import hint_at_data, steps_in_names
from rnnkit.preprocessing import SequenceScaler, TokenEncoder
from rnnkit.sequences import Form

EVERY = [(cell, task) for cell in CELLS for task in TASKS]
RNG = np.random.RandomState(0)
WORDS = [RNG.zipf(1.5, size=n).clip(max=500) for n in RNG.randint(5, 30, size=24)]


def small(cell, task, **options):
    return estimator(cell, task, **{"hidden_size": 3, "max_iter": 2, **options})


def hints_of(call, *args, **options):
    """Return the texts of the warnings of a call, all of which must point to this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **options)
    assert all(w.category is UserWarning and w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


def series(n=24, n_steps=60, n_features=2):
    """Smooth series on the scale of one."""
    return np.cumsum(np.random.RandomState(1).randn(n, n_steps, n_features), axis=1) / 8


ODD = {
    "channels first": (series().transpose(0, 2, 1), {}, r"X.transpose\(0, 2, 1\)"),
    "one channel first": (series(n_features=1).transpose(0, 2, 1), {}, "channels, steps"),
    "ids": (WORDS, {}, "embedding_dim"),
    "ids in Sequences": (Sequences(np.concatenate(WORDS), np.cumsum([0, *map(len, WORDS)])), {},
                         "embedding_dim"),
    "large mean": (series() + [0.0, 5000.0], {}, r"feature 1 \(mean 5e\+03.*SequenceScaler"),
    "large deviation": (list(series() * [300.0, 1.0]), {}, r"feature 0 \(mean.*SequenceScaler"),
    "large named": ([pd.DataFrame(x + 900.0, columns=["pulse", "pressure"]) for x in series()], {},
                    r"column 'pulse' .*column 'pressure'"),
    "many large": (series(n_features=6) + 900.0, {}, "feature 2.*and 3 more"),
    "columns of steps": (
        pd.DataFrame(series(24, 5, 3).reshape(24, -1),
                     columns=[f"t{t}_{name}" for t in range(5) for name in "abc"]),
        {}, "step_features=3$"),
    "columns of features": (
        pd.DataFrame(series(24, 5, 3).reshape(24, -1),
                     columns=[f"{name}_{t}" for name in "abc" for t in range(5)]),
        {}, "step_features=3 and put"),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_odd_data_are_hinted_at_once_in_a_fit_and_not_later(cell, task, what):
    X, options, text = ODD[what]
    model = small(cell, task, **options)
    n_steps = Sequences.from_any(X).lengths
    y = targets_of(task, [np.ones((n, 1)) for n in n_steps])
    if task == "SequenceTagger":
        y = [(np.arange(n) + i) % 2 for i, n in enumerate(n_steps)]
    if task == "SequenceLabeller":
        y = [["a", "b"][i % 2 : i % 2 + 1] for i in range(len(n_steps))]
    hints = hints_of(model.fit, X, y)
    assert len(hints) == 1
    with pytest.warns(UserWarning, match=text):
        model.fit(X, y)
    assert not hints_of(model.predict, X)
    assert not hints_of(model.score, X, y)
    classes = {} if task.endswith("Regressor") else {"classes": model.classes_}
    assert not hints_of(model.partial_fit, X, y)
    assert len(hints_of(small(cell, task).partial_fit, X, y, **classes)) == 1


def usual_data():
    digits = load_digits()
    frame = load_digits(as_frame=True).data
    text = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]
    return {
        "digits by pixels": (digits.data, {}),
        "digits as whole numbers": (digits.data.astype(int), {}),
        "digits in a frame": (frame, {}),
        "digits by rows of a frame": (frame, {"step_features": 8}),
        "digits by rows": (digits.images, {}),
        "one long series each": (series(50, 150, 1), {}),
        "a frame of one series each": (
            pd.DataFrame(series(50, 150, 1)[:, :, 0], columns=[f"t{t}" for t in range(150)]), {}),
        "ragged, of twelve": (ragged(270, 12, shortest=7, longest=29), {}),
        "tokens": (WORDS, {"embedding_dim": 4}),
        "words": (TokenEncoder().fit_transform([text, text[::-1]]), {"embedding_dim": 4}),
        "tokens of one shape": (np.stack([w[:5] for w in WORDS]), {"embedding_dim": 4}),
        "counts": (np.random.RandomState(0).poisson(3, (100, 20)), {}),
        "yes or no": (np.random.RandomState(0).randint(0, 2, (100, 20, 88)), {}),
        "half scaled": (series() * 20, {}),
    }  # fmt: skip


@pytest.mark.parametrize("X, options", usual_data().values(), ids=usual_data())
def test_usual_data_are_hinted_at_nothing(X, options):
    model = small("LSTM", "Classifier", **options)
    form = Form.of(X, model.step_features)
    sequences = Sequences.from_any(X, None, model.step_features)
    assert not hints_of(hint_at_data, model, X, form, sequences, stacklevel=4)
    y = np.arange(len(X)) % 2
    assert not hints_of(small("LSTM", "Classifier", max_iter=1, **options).fit, X, y)


@pytest.mark.parametrize(
    "name", ["JapaneseVowels", "GunPoint", "ItalyPowerDemand", "ACSF1", "PLAID"]
)
def test_real_data_are_hinted_at_nothing(data_loaders, name):
    X, _ = data_loaders.ts(name, "TRAIN")
    model, sequences = small("LSTM", "Classifier"), Sequences.from_list(X)
    assert not hints_of(hint_at_data, model, X, Form.of(X), sequences, stacklevel=4)


def test_what_takes_large_inputs_is_not_told_to_scale():
    X, y = series() + 900.0, labels_of(series())
    assert not hints_of(small("LSTM", "Classifier", layer_norm=True).fit, X, y)


@pytest.mark.parametrize(
    "names, found",
    [
        (("t0_a", "t0_b", "t1_a", "t1_b"), (2, True)),
        (("a(t-2)", "b(t-2)", "a(t-1)", "b(t-1)"), (2, True)),
        (("a_0", "a_1", "b_0", "b_1"), (2, False)),
        (("t0", "t1", "t2"), (1, True)),
        (("a", "b", "c"), (0, False)),
        (("a0", "b1"), (0, False)),
        (("a0", "b0"), (0, False)),
        (("a0", "b0", "a1", "c1"), (0, False)),
        (("a0", "b0", "a1"), (0, False)),
        (("a0", "b0", "a0", "b0"), (0, False)),
        (("pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_1_1"), (0, False)),
        ((0, 1, 2, 3), (0, False)),
        ((), (0, False)),
    ],
)
def test_steps_in_names(names, found):
    assert steps_in_names(names) == found


RAGGED = ragged(24)
DENSE, LENGTHS = padded(RAGGED, fill=0.0)


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_a_padded_X_without_lengths_is_told_once_a_call(cell, task):
    y = targets_of(task, RAGGED)
    if task.startswith("SequenceT") or task == "SequenceRegressor":
        y = padded([np.asarray(v)[:, None] for v in y], fill=0)[0][:, :, 0]
        y = y.astype(int) if task == "SequenceTagger" else y
    model = small(cell, task)
    assert not hints_of(model.fit, DENSE, y, lengths=LENGTHS)
    for method in ("predict", "predict_proba", "hidden_states", "gate_activations"):
        if hasattr(model, method):
            call = getattr(model, method)
            (text,) = hints_of(call, DENSE)
            assert "set_score_request(lengths=True)" in text
            assert not hints_of(call, DENSE, lengths=LENGTHS)
            assert not hints_of(call, RAGGED)
            assert not hints_of(call, DENSE[:, :4])
    (text,) = hints_of(model.score, DENSE, y)
    assert "its padding counts as steps" in text
    assert not hints_of(model.score, DENSE, y, lengths=LENGTHS)
    assert not hints_of(model.fit, DENSE, y, lengths=np.full(24, DENSE.shape[1]))
    assert not hints_of(model.score, DENSE, y)


def test_features_of_a_padded_X_without_lengths():
    features = RecurrentFeatures(small("GRU", "Classifier"))
    features.fit(DENSE, labels_of(RAGGED), lengths=LENGTHS)
    with pytest.warns(UserWarning, match="fit had lengths"):
        features.transform(DENSE)


def test_cross_validation_that_scores_padding():
    y = labels_of(RAGGED)
    with pytest.warns(UserWarning, match="fit had lengths"):
        cross_validate(small("GRU", "Classifier"), DENSE, y, params={"lengths": LENGTHS}, cv=3)
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        model = small("GRU", "Classifier").set_fit_request(lengths=True)
        model = model.set_score_request(lengths=True)
        cross_validate(model, DENSE, y, params={"lengths": LENGTHS}, cv=3)


FAR = [1000.0 + 3 * x for x in RAGGED]


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_validation_data_that_nobody_transformed(cell, task):
    y = targets_of(task, RAGGED)
    for odd in (
        FAR,
        [x + 20 for x in RAGGED],
        [x * 300 for x in RAGGED],
        [x / 300 for x in RAGGED],
    ):
        (text,) = hints_of(small(cell, task).fit, RAGGED, y, validation_data=(odd, y))
        assert 'transform_input=["X_val"]' in text
        assert "feature 0" in text
    for usual in (RAGGED, RAGGED[:2], [x + 3 for x in RAGGED], [x * 30 for x in RAGGED]):
        data = (usual, y[: len(usual)])
        assert not hints_of(small(cell, task).fit, RAGGED, y, validation_data=data)


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_a_pipeline_transforms_validation_data_where_asked_to(cell, task):
    y = targets_of(task, RAGGED)
    model = small(cell, task, max_iter=4)
    scaler = SequenceScaler().fit(FAR)
    direct = small(cell, task, max_iter=4)
    direct.fit(scaler.transform(FAR), y, validation_data=(scaler.transform(FAR[:9]), y[:9]))
    silent = Pipeline([("scale", SequenceScaler()), ("model", model)])
    with pytest.warns(UserWarning, match="X_val is on another scale"):
        silent.fit(FAR, y, model__validation_data=(FAR[:9], y[:9]))
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        asking = model.set_fit_request(X_val=True, y_val=True)
        steps = [("scale", SequenceScaler()), ("model", asking)]
        pipeline = Pipeline(steps, transform_input=["X_val"])
        pipeline.fit(FAR, y, X_val=FAR[:9], y_val=y[:9])
    assert pipeline[-1].validation_scores_ == direct.validation_scores_


def test_validation_data_come_in_one_way():
    y = labels_of(RAGGED)
    model = small("GRU", "Classifier")
    with pytest.raises(ValueError, match="not both"):
        model.fit(RAGGED, y, validation_data=(RAGGED, y), X_val=RAGGED, y_val=y)
    for half in ({"X_val": RAGGED}, {"y_val": y}):
        with pytest.raises(ValueError, match="together"):
            model.fit(RAGGED, y, **half)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["Regressor", "SequenceRegressor", "EncoderDecoder"])
@pytest.mark.parametrize("going_on", ["partial_fit", "warm_start"])
def test_targets_far_outside_of_the_first_are_told(cell, task, going_on):
    rng = np.random.RandomState(0)
    X = [rng.randn(6, 2) for _ in range(30)]
    y = [x[-1, 0] if task == "Regressor" else x[:, 0] for x in X]
    numbers = {"targets": "numbers"} if task == "EncoderDecoder" else {}

    def train(*targets):
        model = small(cell, task, warm_start=going_on == "warm_start", **numbers)
        for part in targets:
            (model.fit if model.warm_start else model.partial_fit)(X, part)

    near = [20 + 1e-6 * v for v in y]
    (text,) = hints_of(train, near, [20 + v for v in y])
    assert "of the first training" in text
    assert "begin anew" in text
    for later in (1.0, 1e-3, 30.0):
        assert not hints_of(train, y, [later * v for v in y])
    assert not hints_of(train, [0 * v + 20 for v in y], [20 + v for v in y])


def test_targets_are_looked_at_where_they_count():
    rng = np.random.RandomState(0)
    X, weights = rng.randn(30, 6, 2), np.zeros(30)
    weights[:2] = 1.0
    near, far = 20 + 1e-6 * X[:, 0, 0], 20 + X[:, 0, 0]
    both = np.where(weights > 0, near, far)
    model = small("GRU", "Regressor").partial_fit(X, near)
    assert not hints_of(model.partial_fit, X, both, weights)
    assert hints_of(model.partial_fit, X, both)
    unknown = np.where(np.arange(6) < 5, np.nan, both[:, None])
    unknown[2:] = np.nan
    steps = small("GRU", "SequenceRegressor").partial_fit(X, np.repeat(near[:, None], 6, axis=1))
    assert not hints_of(steps.partial_fit, X, unknown)
    assert not hints_of(EchoStateRegressor(4).partial_fit(X, near).partial_fit, X, far)
    for model in (GRUAutoencoder(3, max_iter=1), GRUSeriesGenerator(3, max_iter=1)):  # without y
        assert not hints_of(model.partial_fit(X).partial_fit, X * 1e6)
