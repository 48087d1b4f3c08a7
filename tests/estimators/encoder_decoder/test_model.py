"""Encoder-decoders: what they learn, in which forms, what they tell, what they refuse."""

import copy
import io
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from tolerances import assert_close

import rnnkit
from rnnkit.metrics import label_error_rate, label_error_rate_scorer
from rnnkit.persistence import keras, pytorch

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
TEXTS = ["".join("abc"[i] for i in RNG.randint(0, 3, RNG.randint(1, 6))) for _ in range(60)]
BACKWARDS = [text[::-1] for text in TEXTS]
NUMBERS = [RNG.normal(size=(len(text), 2)) for text in TEXTS]
IDS = [RNG.randint(0, 4, len(text)) for text in TEXTS]


def model(cell="GRU", **parameters):
    settings = dict(hidden_size=12, learning_rate_init=0.02, random_state=0, max_iter=3)
    settings |= dict(embedding_dim=8)
    return getattr(rnnkit, f"{cell}EncoderDecoder")(**{**settings, **parameters})


@pytest.fixture(scope="module")
def reversing():
    fitted = model(max_iter=120, learning_rate="linear").fit(TEXTS, BACKWARDS)
    assert fitted.score(TEXTS, BACKWARDS) > 0.9
    return fitted


@pytest.mark.parametrize("attention", ["dot", "additive", None])
@pytest.mark.parametrize("cell", CELLS)
def test_learns_to_reverse(cell, attention):
    few = TEXTS[:16], BACKWARDS[:16]
    fitted = model(cell, max_iter=150, learning_rate="linear", attention=attention).fit(*few)
    assert fitted.score(*few) > 0.9
    assert fitted.predict(few[0]).dtype == object


@pytest.mark.parametrize("bidirectional", [False, True])
def test_learns_numbers_of_another_length(bidirectional):
    X = RNG.normal(size=(200, 5, 1))
    y = np.cumsum(X[:, :3, 0], axis=1)
    fitted = model(max_iter=60, bidirectional=bidirectional, learning_rate="linear").fit(X, y)
    assert fitted.predict(X).shape == (200, 3)
    assert fitted.score(X, y) > 0.9
    assert fitted.predict(X, n_steps=7).shape == (200, 7)
    assert np.array_equal(fitted.predict(X, n_steps=2), fitted.predict(X)[:, :2])


def forms():
    objects = np.empty(len(TEXTS), dtype=object)
    objects[:] = BACKWARDS
    yield "text", TEXTS, BACKWARDS, str
    yield "arrays of text", np.array(TEXTS), np.array(BACKWARDS), str
    yield "objects", objects, objects, str
    yield "series", pd.Series(TEXTS), pd.Series(BACKWARDS), str
    yield "words", [list(t) for t in TEXTS], [list(t) for t in BACKWARDS], np.ndarray
    yield "ids", IDS, [x[::-1] for x in IDS], np.ndarray
    yield "lists of ids", [x.tolist() for x in IDS], [x.tolist() for x in IDS], np.ndarray
    yield "two columns of ids", [np.stack([x, x], axis=1) for x in IDS], BACKWARDS, str
    yield "numbers to text", NUMBERS, BACKWARDS, str
    yield "truth values", NUMBERS, [x[:, 0] > 0 for x in NUMBERS], np.ndarray
    yield "numbers", NUMBERS, [x[:2, 0] for x in NUMBERS], np.ndarray
    yield "vectors", NUMBERS, [np.repeat(x[:1], 3, axis=0) for x in NUMBERS], np.ndarray
    yield "text to numbers", TEXTS, [[len(text) / 2, 0.5] for text in TEXTS], np.ndarray
    steps = rnnkit.Sequences.from_list(NUMBERS)
    yield "Sequences", steps, rnnkit.Sequences.from_list([x[:, :1] for x in NUMBERS]), np.ndarray
    yield "rows", RNG.normal(size=(60, 4)), RNG.randint(0, 3, (60, 2)), np.ndarray
    yield "rows of ids", RNG.randint(0, 3, (60, 4)), RNG.randint(0, 3, (60, 2)), np.ndarray
    yield "some empty", TEXTS, [text[1:] for text in TEXTS], str


FORMS = {name: (X, y, kind) for name, X, y, kind in forms()}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_written_and_kept(form, tmp_path):
    X, y, kind = FORMS[form]
    fitted = model().fit(X, y)
    differ = getattr(fitted._codec, "n_steps", 1) is None
    more = {"n_steps": 2} if differ else {}
    predicted = fitted.predict(X, **more)
    assert isinstance(predicted[0], kind)
    assert len(predicted) == len(TEXTS)
    rnnkit.save(fitted, tmp_path / "model")
    for other in (rnnkit.load(tmp_path / "model"), pickle.loads(pickle.dumps(fitted))):
        assert_equal(other.predict(X, **more), predicted)
        assert_equal(other.attention_weights(X, y), fitted.attention_weights(X, y))
    assert np.isfinite(fitted.score(X, y))
    for weights, written in zip(fitted.attention_weights(X, y), y):
        assert len(weights) == len(written)
        assert_close(weights.sum(axis=1), np.ones(len(weights)), weights.dtype, 8)


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert np.array_equal(a, b)


def test_score_is_the_share_of_right_sequences_and_edit_distance_fits(reversing):
    truth = [*BACKWARDS[:30], *TEXTS[30:]]
    predicted = reversing.predict(TEXTS)
    right = np.array([a == b for a, b in zip(truth, predicted)])
    assert reversing.score(TEXTS, truth) == right.mean()
    weights = np.arange(60.0)
    assert reversing.score(TEXTS, truth, weights) == pytest.approx(right @ weights / weights.sum())
    X, y = [list(t) for t in TEXTS], [list(t) for t in BACKWARDS]
    fitted = model().fit(X, y)
    rate = label_error_rate(y, fitted.predict(X))
    assert abs(label_error_rate_scorer(fitted, X, y)) == pytest.approx(rate)


def test_labels_never_seen_are_wrong_and_impossible(reversing):
    assert reversing.score(["ab"], ["xy"]) == 0
    assert reversing.score_samples(["ab", "ab"], ["xy", "ba"])[0] == -np.inf


def test_probabilities_of_all_sequences_sum_to_less_than_1(reversing):
    texts = ["", *"abc", *[a + b for a in "abc" for b in "abc"]]
    shares = np.exp(reversing.score_samples(["ab"] * len(texts), texts))
    assert 0.5 < shares.sum() < 1
    assert texts[int(shares.argmax())] == "ba"


def test_an_unknown_token_is_read(reversing):
    assert len(reversing.predict(["zab", "", "b"])) == 3


def test_a_search_finds_nothing_less_likely_than_greedy(reversing):
    fitted = copy.deepcopy(reversing).set_params(length_penalty=0.0)
    greedy = fitted.score_samples(TEXTS, fitted.predict(TEXTS))
    fitted.set_params(beam_width=6)
    searched = fitted.score_samples(TEXTS, fitted.predict(TEXTS))
    assert (searched >= greedy - 1e-6).all()
    assert fitted.set_params(max_target_length=2).predict(TEXTS[:3])[0] is not None
    assert max(map(len, fitted.predict(TEXTS))) == 2


@pytest.mark.parametrize("beam_width", [None, 3])
def test_an_answer_does_not_depend_on_its_neighbours(reversing, beam_width):
    fitted = copy.deepcopy(reversing).set_params(beam_width=beam_width)
    together = fitted.predict(TEXTS)
    weights = fitted.attention_weights(TEXTS)
    for i in range(0, 60, 7):
        assert fitted.predict(TEXTS[i : i + 1])[0] == together[i]
        assert np.array_equal(fitted.attention_weights(TEXTS[i : i + 1])[0], weights[i])


def test_the_reference_computes_the_same_by_value():
    for attention in ("dot", "additive", None):
        fitted = model(attention=attention).fit(NUMBERS, BACKWARDS)
        other = model(attention=attention, device="reference").fit(NUMBERS, BACKWARDS)
        assert_close(other.network_.parameters.flat, fitted.network_.parameters.flat, "f4", 1000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_computes_in_the_dtype_of_numbers(dtype):
    X = [x.astype(dtype) for x in NUMBERS]
    fitted = model().fit(X, [x[:2].astype(dtype) for x in X])
    assert fitted.network_.dtype == dtype
    assert fitted.predict(X, n_steps=2)[0].dtype == dtype


def test_weights_are_repetitions():
    few, y = NUMBERS[:12], BACKWARDS[:12]
    settings = dict(batch_size=100, shuffle=False, max_iter=4, attention="additive")
    weights = RNG.randint(0, 3, 12)
    classes = sorted(set("".join(y)))
    assert {*"".join(t for t, w in zip(y, weights) if w)} == {*classes}
    weighted = model(**settings).fit(few, y, sample_weight=weights)
    repeated = model(**settings).fit(
        [x for x, w in zip(few, weights) for _ in range(w)],
        [t for t, w in zip(y, weights) for _ in range(w)],
    )
    assert_close(weighted.loss_curve_[0], repeated.loss_curve_[0], np.float64, 1e6)
    assert_close(
        weighted.network_.parameters.flat, repeated.network_.parameters.flat, np.float64, 1e12
    )


def test_numbers_are_equivariant():
    y = [x[:2] for x in NUMBERS if len(x) > 1]
    X = [x for x in NUMBERS if len(x) > 1]
    plain = model(max_iter=10).fit(X, y)
    moved = model(max_iter=10).fit(X, [4 * target + 3 for target in y])
    for a, b in zip(plain.predict(X), moved.predict(X)):
        np.testing.assert_allclose(b, 4 * a + 3, rtol=1e-8)


def test_training_goes_on():
    fitted = model(warm_start=True).fit(TEXTS, BACKWARDS)
    before = fitted.loss_
    assert fitted.fit(TEXTS, BACKWARDS).loss_ < before
    partly = model().partial_fit(TEXTS, BACKWARDS, classes=[*"abc"])
    for _ in range(2):
        again = pickle.loads(pickle.dumps(partly)).partial_fit(TEXTS, BACKWARDS)
        partly.partial_fit(TEXTS, BACKWARDS)
        assert np.array_equal(again.network_.parameters.flat, partly.network_.parameters.flat)
    assert partly.t_ == 180
    early = model(early_stopping=True, monitor="score").fit(TEXTS, BACKWARDS)
    assert len(early.validation_scores_) == early.n_iter_


def test_works_in_a_search_and_prints_itself():
    search = GridSearchCV(model(), {"attention": ["dot", None]}, cv=2).fit(TEXTS, BACKWARDS)
    assert search.best_score_ >= 0
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()
    fitted = search.best_estimator_
    assert "decoder" in repr(fitted.network_.table())
    assert "GRUEncoderDecoder" in fitted._repr_html_()
    assert fitted.network_.table().n_parameters == fitted.network_.parameters.flat.size


def refusals():
    texts = TEXTS, BACKWARDS
    yield "one value", TEXTS, np.arange(60), {}, "y must hold a sequence for every sequence"
    yield "one string", TEXTS, "abc", {}, "y must hold a sequence each, got the single string"
    yield "X one string", "abc", BACKWARDS, {}, "X must hold a sequence each, got the single"
    yield "too few", TEXTS, BACKWARDS[:3], {}, "inconsistent numbers of samples"
    yield "none", TEXTS, None, {}, "requires y"
    yield "mixed", TEXTS, [["a", 1]] * 60, {}, "y mixes text and numbers"
    yield "missing", TEXTS, [["a", None]] * 60, {}, "y must not hold missing labels"
    yield "NaN", TEXTS, [[1.5, np.nan]] * 60, {}, "NaN"
    yield "no number", TEXTS, [[], *[[1.5]] * 59], {}, re.escape("y[0] must have at least one")
    yield "ragged vectors", TEXTS, [[[1.5]], *[[[1.5, 2.5]]] * 59], {}, "equally many numbers"
    yield "GPU", *texts, {"device": "cuda"}, "'device' parameter"
    yield "attention", *texts, {"attention": "general"}, "'attention' parameter"
    numbers = NUMBERS, [x[:1] for x in NUMBERS]
    yield "smoothing", *numbers, {"label_smoothing": 0.1}, "label_smoothing must be 0.0 where"
    yield "beam", *numbers, {"beam_width": 2}, "beam_width must be None where"
    yield "table", *numbers, {"embedding_init": np.eye(3)}, "embedding_init must be None where"
    yield "numbers of text", TEXTS, BACKWARDS, {"targets": "numbers"}, "must hold numbers"


REFUSALS = {name: rest for name, *rest in refusals()}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_it_cannot_learn_is_refused_in_a_sentence(name):
    X, y, parameters, message = REFUSALS[name]
    estimator = model(**parameters)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y)
    assert not hasattr(estimator, "network_")


def test_what_it_cannot_tell_is_refused_in_a_sentence(reversing):
    numbers = model().fit(NUMBERS, [x[:1] if i % 2 else x[:1] + x for i, x in enumerate(NUMBERS)])
    with pytest.raises(ValueError, match="n_steps must be given"):
        numbers.predict(NUMBERS)
    with pytest.raises(ValueError, match="n_steps must be an integer"):
        numbers.predict(NUMBERS, n_steps=0)
    with pytest.raises(ValueError, match="n_steps must be None"):
        reversing.predict(TEXTS, n_steps=3)
    with pytest.raises(AttributeError, match="writes numbers"):
        numbers.score_samples(NUMBERS, NUMBERS)
    with pytest.raises(ValueError, match="has no stream"):
        reversing.stream()
    with pytest.raises(AttributeError, match="has no attention"):
        model(attention=None).fit(TEXTS, BACKWARDS).attention_weights(TEXTS)
    with pytest.raises(ValueError, match="labels as in fit"):
        reversing.score(TEXTS, [[1.5]] * 60)
    with pytest.raises(ValueError, match="numbers as in fit"):
        numbers.score(NUMBERS, BACKWARDS)
    with pytest.raises(ValueError, match="classes must be passed"):
        model().partial_fit(TEXTS, BACKWARDS)
    with pytest.raises(ValueError, match="classes must be None where y holds numbers, got"):
        model().partial_fit(NUMBERS, NUMBERS, classes=[1, 2])
    with pytest.raises(ValueError, match="not the same as on last call to partial_fit, was: None"):
        copy.deepcopy(numbers).partial_fit(NUMBERS, NUMBERS, classes=[1, 2])
    with pytest.raises(ValueError, match="not the same as on last call"):
        copy.deepcopy(reversing).partial_fit(TEXTS, BACKWARDS, classes=["x"])
    with pytest.raises(ValueError, match="not among the classes"):
        copy.deepcopy(reversing).partial_fit(TEXTS, ["x"] * 60)
    with pytest.raises(NotFittedError):
        model().predict(TEXTS)


@pytest.mark.parametrize("write", [rnnkit.to_onnx, pytorch.to_state_dict, keras.to_weights])
def test_other_programs_formats_are_refused_by_name(reversing, write):
    with pytest.raises(ValueError, match="takes no encoder-decoder, got GRUEncoderDecoder"):
        write(reversing)


def test_attention_is_drawn(reversing):
    pytest.importorskip("matplotlib")
    from rnnkit.inspection import AttentionDisplay

    display = AttentionDisplay.from_estimator(reversing, TEXTS, indices=2)
    (weights,) = display.weights
    assert np.array_equal(weights, reversing.attention_weights(TEXTS)[2])
    assert display.step_labels == [list(TEXTS[2])]
    assert display.sequence_labels == list(reversing.predict(TEXTS)[2])
    display.figure_.savefig(io.BytesIO())
    with pytest.raises(ValueError, match="indices must name one sequence"):
        AttentionDisplay.from_estimator(reversing, TEXTS, indices=[0, 1])
    without = model(attention=None).fit(TEXTS, BACKWARDS)
    with pytest.raises(ValueError, match="attention='dot' or 'additive'"):
        AttentionDisplay.from_estimator(without, TEXTS)
