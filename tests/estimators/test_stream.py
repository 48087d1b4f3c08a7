"""Streams: step by step gives the very bits of the whole sequence."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator, labels_of, numbers_of, ragged, tags_of

import rnnkit

X = ragged(30)
TARGETS = {
    "Classifier": labels_of(X),
    "Regressor": np.array([x[-1].sum() for x in X]),
    "SequenceTagger": tags_of(X),
    "SequenceRegressor": numbers_of(X),
}


def fitted(cell, task, **parameters):
    return estimator(cell, task, max_iter=3, **parameters).fit(X, TARGETS[task])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_classifier_ends_in_the_bits_of_predict(cell, pooling):
    classifier = fitted(cell, "Classifier", n_layers=2, dropout=0.1, pooling=pooling)
    stream = classifier.stream()
    for x in X[:5]:
        stream.reset()
        for t, step in enumerate(x):
            label = stream.step(step)
            expected = classifier.predict_proba([x[: t + 1]])[0]
            np.testing.assert_array_equal(stream.predict_proba(), expected)
        assert label == classifier.predict([x])[0]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["Regressor", "SequenceTagger", "SequenceRegressor"])
def test_every_task_ends_in_the_bits_of_predict(cell, task):
    model = fitted(cell, task)
    stream = model.stream()
    steps = [stream.step(x) for x in X[0]]
    whole = model.predict([X[0]])[0]
    if task == "Regressor":
        assert steps[-1] == whole
    else:
        np.testing.assert_array_equal(steps, whole)


def test_state_is_taken_and_set():
    classifier = fitted("LSTM", "Classifier")
    stream, other = classifier.stream(), classifier.stream()
    assert stream.state is None
    for x in X[0][:2]:
        stream.step(x)
    other.state = stream.state
    stream.step(X[0][2])
    expected = stream.predict_proba()
    other.step(X[0][2])
    np.testing.assert_array_equal(other.predict_proba(), expected)
    stream.reset()
    assert stream.state is None


def test_a_step_may_come_in_any_form():
    """An array of the network's dtype takes a shorter way in than everything else."""
    classifier = fitted("LSTM", "Classifier")
    x = X[0][0]
    forms = [x.copy(), x.tolist(), np.stack([x, x], axis=1)[:, 0], x.astype(">f8"), x[None]]
    probabilities = []
    for form in forms:
        stream = classifier.stream()
        stream.step(form)
        probabilities.append(stream.predict_proba())
    for other in probabilities[1:]:
        np.testing.assert_array_equal(other, probabilities[0])
    large = np.array([1e200, 1e200])  # finite, although its square is not
    stream.step(large)
    with pytest.raises(ValueError, match="infinity"):
        stream.step(np.array([np.inf, 1.0]))
    with pytest.raises(ValueError, match="NaN"):
        stream.step(np.array([1.0, np.nan]))


def test_tokens_are_streamed():
    tokens = [np.arange(5) % 3, np.arange(4), np.array([2, 2])]
    classifier = estimator("GRU", "Classifier", embedding_dim=3, max_iter=3)
    classifier.fit(tokens, [0, 1, 0])
    stream = classifier.stream()
    for token in tokens[0]:
        stream.step(token)
    forms = [int, np.int32, np.uint8, float, lambda i: [i], lambda i: np.array([i])]
    others = [classifier.stream() for _ in forms]
    for form, other in zip(forms, others):
        for token in tokens[0].tolist():
            other.step(form(token))
        np.testing.assert_array_equal(other.predict_proba(), stream.predict_proba())
        for wrong in (-1, 4, 10**30):
            with pytest.raises(ValueError):
                other.step(wrong)
        with pytest.raises((TypeError, ValueError)):
            other.step(True and "a")
    np.testing.assert_array_equal(stream.predict_proba(), classifier.predict_proba([tokens[0]])[0])


def test_what_cannot_be_streamed_is_refused():
    with pytest.raises(ValueError, match="bidirectional=False"):
        fitted("GRU", "Classifier", bidirectional=True).stream()
    with pytest.raises(ValueError, match="output='crf' has none"):
        fitted("GRU", "SequenceTagger", output="crf").stream()
    stream = fitted("GRU", "Classifier").stream()
    with pytest.raises(ValueError, match="x has 3 features"):
        stream.step([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="at least one step"):
        stream.predict_proba()
    with pytest.raises(ValueError, match="NaN"):
        stream.step([1.0, np.nan])


def settings_of(task):
    """Settings whose streams remember different things."""
    settings = [{}, {"n_layers": 2, "precision": "bf16"}]
    if task in ("Classifier", "Regressor"):
        settings += [{"pooling": pooling} for pooling in ("mean", "max", "attention")]
    return settings


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda stream: pickle.loads(pickle.dumps(stream)),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_copy_goes_on_by_itself(cell, task, how):
    for settings in settings_of(task):
        stream = fitted(cell, task, **settings).stream()
        fresh = COPIES[how](stream)
        assert fresh.state is None
        for x in X[0][:2]:
            stream.step(x)
        other = COPIES[how](stream)
        if task == "Classifier":
            np.testing.assert_array_equal(other.predict_proba(), stream.predict_proba())
        other.step(-X[0][0])  # which the first must not see
        again = COPIES[how](stream)
        assert again.step(X[0][2]) == stream.step(X[0][2])
        fresh.step(X[0][0])


def test_a_stream_keeps_its_network_while_training_goes_on():
    classifier = estimator("LSTM", "Classifier").partial_fit(
        X, TARGETS["Classifier"], classes=["down", "up"]
    )
    expected = classifier.predict_proba([X[0][:1]])[0]
    stream = classifier.stream()
    classifier.partial_fit(X, TARGETS["Classifier"])
    stream.step(X[0][0])
    np.testing.assert_array_equal(stream.predict_proba(), expected)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_state_that_is_none_of_the_network_is_refused(cell, pooling):
    classifier = fitted(cell, "Classifier", pooling=pooling)
    stream = classifier.stream()
    for x in X[0][:2]:
        stream.step(x)
    state, expected = stream.state, stream.predict_proba()
    unlike = ["ab", [], state[:-1], [*state, state[0]], [(), *state[1:]], [state[0][:1], *state]]
    for place, of_layer in enumerate(state):
        for i, array in enumerate(of_layer):
            if array is None:
                continue
            masked = np.ma.array(array, mask=[[True] * array.shape[1]])
            for wrong in (array * np.nan, array + np.inf, array[:, 1:], array[0], None, "a",
                          array + 1j, array.astype(str), array.astype(object), masked):  # fmt: skip
                layer = [*of_layer[:i], wrong, *of_layer[i + 1 :]]
                unlike.append([*state[:place], tuple(layer), *state[place + 1 :]])
    for other in (stream, classifier.stream()):
        for wrong in unlike:
            with pytest.raises(ValueError, match="state"):
                other.state = wrong
    np.testing.assert_array_equal(stream.predict_proba(), expected)
    other.state = state
    np.testing.assert_array_equal(other.step(X[0][2]), stream.step(X[0][2]))


def test_the_probabilities_of_a_step_end_with_the_sequence():
    stream = fitted("GRU", "Classifier").stream()
    stream.step(X[0][0])
    stream.reset()
    with pytest.raises(ValueError, match="at least one step"):
        stream.predict_proba()


def test_a_stream_of_what_was_pickled_is_as_quick(monkeypatch):
    classifier = pickle.loads(pickle.dumps(fitted("GRU", "Classifier")))
    streams = [classifier.stream(), pickle.loads(pickle.dumps(classifier.stream()))]

    def read(*args, **options):
        raise AssertionError("the long way")

    monkeypatch.setattr(type(classifier._reader), "read", read)
    for stream in streams:
        stream.step(X[0][0])


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("cell", CELLS)
def test_many_at_once_answer_as_each_alone(cell, task):
    steps = np.stack([x[:3] for x in X if len(x) >= 3])
    n = len(steps)
    for settings in settings_of(task):
        model = fitted(cell, task, **settings)
        many, alone = model.stream(n), [model.stream() for _ in range(n)]
        for t in range(2):
            answers = many.step(steps[:, t])
            expected = [stream.step(x[t]) for stream, x in zip(alone, steps)]
            np.testing.assert_array_equal(answers, expected)
            assert answers.dtype == np.asarray(expected).dtype
        if task == "Classifier":
            expected = [stream.predict_proba() for stream in alone]
            np.testing.assert_array_equal(many.predict_proba(), expected)
        others = [how(many) for how in COPIES.values()]
        again = model.stream(n)
        again.state = many.state
        answers = many.step(steps[:, 2].tolist())  # the long way in
        for other in (*others, again):
            np.testing.assert_array_equal(other.step(steps[:, 2]), answers)
        many.reset()
        assert many.state is None
        answers = many.step(steps[:, 0])
        np.testing.assert_array_equal(answers[:1], [model.stream().step(steps[0, 0])])


def test_many_at_once_of_ids_and_of_one_column():
    tokens = [np.arange(5) % 3, np.arange(4), np.array([2, 2])]
    classifier = estimator("GRU", "Classifier", embedding_dim=3, max_iter=3)
    classifier.fit(tokens, [0, 1, 0])
    many = classifier.stream(3)
    for step in ([0, 0, 2], [[1], [1], [2]]):
        labels = many.step(step)
    expected = classifier.predict_proba([[0, 1], [0, 1], [2, 2]])
    np.testing.assert_array_equal(many.predict_proba(), expected)
    np.testing.assert_array_equal(labels, classifier.classes_[expected.argmax(axis=1)])


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (True, TypeError), ("3", TypeError)])
def test_a_number_of_streams_that_is_none_is_refused(n, error):
    with pytest.raises(error, match="n_sequences must be"):
        fitted("GRU", "Classifier").stream(n)


def test_steps_of_other_numbers_of_sequences_are_refused():
    model = fitted("GRU", "Classifier")
    many = model.stream(3)
    for wrong in (X[0][0], X[0][:2], np.zeros((3, 1, 2)), 1.0):
        with pytest.raises(ValueError, match="x must have a row for each of 3 sequences"):
            many.step(wrong)
    with pytest.raises(ValueError, match="features"):
        many.step(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="infinity"):
        many.step(np.array([[0.0, 1.0], [0.0, np.inf], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="at least one step"):
        many.predict_proba()
    many.step(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="state"):
        many.state = model.stream(2)._models()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_label_of_a_step_is_that_of_the_first_of_the_largest_scores(dtype):
    """As NumPy's argmax says, a score that is not a number being the largest."""
    x = [np.asarray(one, dtype) for one in X]
    model = estimator("LSTM", "Classifier", max_iter=2)
    model.fit(x, np.array(["a", "b", "c"])[np.arange(len(x)) % 3])
    for bias in ([0, 0, 0], [1, 2, 2], [0, np.nan, 5], [-np.inf, -np.inf, -np.inf]):
        weights = model.weights_
        weights["head.weight"][...] = 0
        weights["head.bias"][...] = bias
        label = model.stream().step(x[0][0])
        assert label == model.classes_[np.argmax(bias)]
        assert type(label) is np.str_


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("cell", CELLS)
def test_some_of_many_begin_anew(cell, task):
    steps = np.stack([x[:3] for x in X if len(x) >= 3])[:4]
    for settings in settings_of(task):
        model = fitted(cell, task, **settings)
        for which in ([0, 2], 0, [], np.array([True, False, True, False])):
            numbers = np.arange(4)[which] if not isinstance(which, int) else [which]
            many, other = model.stream(4), model.stream(4)
            many.reset(which)  # before the first step
            many.step(steps[:, 0])
            other.step(steps[:, 0])
            many.reset(which)
            answers = many.step(steps[:, 1])
            expected = other.step(steps[:, 1])
            expected[numbers] = model.stream(4).step(steps[:, 1])[numbers]
            np.testing.assert_array_equal(answers, expected)


def test_sequences_that_are_not_there_do_not_begin_anew():
    model = fitted("GRU", "Classifier")
    with pytest.raises(ValueError, match="this one has one alone"):
        model.stream().reset(0)
    many = model.stream(3)
    for wrong, error in (
        ([3], IndexError), (-1, IndexError), ([True], ValueError), ([0.5], TypeError),
        ("a", TypeError), ([[0]], TypeError),
    ):  # fmt: skip
        with pytest.raises(error, match="sequences must"):
            many.reset(wrong)


def steps_refused_by_predict(names):
    x = np.arange(4.0)
    yield np.ma.array(x, mask=[0, 1, 0, 0]), "masked"
    yield x.reshape(2, 2), "x must be one step of shape"
    yield pd.Series(x, index=names[::-1]), "x has the columns"
    yield pd.DataFrame([x], columns=names[::-1]), "x has the columns"


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("task", ["Classifier", "Regressor", "SequenceTagger", "SequenceRegressor"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.filterwarnings("ignore")
def test_a_step_refuses_what_predict_refuses(cell, task, dtype):
    names = ["a", "b", "c", "d"]
    rng = np.random.RandomState(0)
    X = [pd.DataFrame(rng.randn(5, 4).astype(dtype), columns=names) for _ in range(12)]
    y = np.arange(12) % 2 if "Sequence" not in task else np.arange(60).reshape(12, 5) % 2
    model = getattr(rnnkit, cell + task)(3, max_iter=2, random_state=0).fit(X, y)
    for x, told in steps_refused_by_predict(names):
        x = x.astype(dtype)
        with pytest.raises(ValueError, match=told):
            model.stream().step(x)
        if told == "masked":
            with pytest.raises(ValueError, match=told):
                model.stream(2).step(np.ma.stack([x, x]))
    plain = np.arange(4.0).astype(dtype)
    expected = model.stream().step(plain)
    for x in (
        pd.Series(plain, names), pd.Series(plain), pd.DataFrame([plain], columns=names),
        np.ma.array(plain), plain[None], plain.tolist(),
    ):  # fmt: skip
        np.testing.assert_array_equal(model.stream().step(x), expected)
