"""y and sample weights in every estimator: text, dates, nullable columns, extreme weights."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator, ragged
from persistence.trained import MODELS, trained
from tolerances import assert_close

import rnnkit
from rnnkit.estimators.targets import moderate
from rnnkit.metrics import edit_distance, label_error_rate, token_accuracy

X = ragged(24)
PER_SEQUENCE = ("Classifier", "Regressor")
PER_STEP = ("SequenceTagger", "SequenceRegressor")
TASKS = (*PER_SEQUENCE, *PER_STEP, "SequenceLabeller")
EVERY = [(cell, task) for cell in CELLS for task in TASKS]


def targets_of(task, X=X):
    """Return a y that the task learns from."""
    if task == "Classifier":
        return np.arange(len(X)) % 2
    if task == "Regressor":
        return np.arange(len(X)) / 7.0
    if task == "SequenceLabeller":
        return [["a", "b"][: 1 + i % 2] for i in range(len(X))]
    kind = int if task == "SequenceTagger" else float
    return [(x[:, 0] > 0).astype(kind) for x in X]


def small(cell, task, **options):
    return estimator(cell, task, hidden_size=3, max_iter=3, **options)


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_a_string_for_a_list_is_refused_with_the_remedy(cell, task):
    model = small(cell, task)
    with pytest.raises(ValueError, match=r"an entry for every sequence.*list"):
        model.fit(X, "ab" * 12)
    with pytest.raises(ValueError, match=r"sample_weight must hold an entry.*list"):
        model.fit(X, targets_of(task), sample_weight="12" * 12)
    if task not in PER_SEQUENCE:
        words = ["1" * len(x) for x in X]
        for y in (words, tuple(words), np.array(words), np.array(words, object), pd.Series(words)):
            with pytest.raises(ValueError, match=r"a list of \w+ for every.*list\('1"):
                model.fit(X, y)
    if task in PER_STEP:
        with pytest.raises(ValueError, match="sample_weight must hold a list of weights"):
            model.fit(X, targets_of(task), sample_weight=words)
    if hasattr(model, "classes_") or task in ("Classifier", "SequenceTagger", "SequenceLabeller"):
        with pytest.raises(ValueError, match="classes must be a list"):
            model.partial_fit(X, targets_of(task), classes="01")


@pytest.mark.parametrize("score", [label_error_rate, token_accuracy])
def test_scores_refuse_strings(score):
    with pytest.raises(ValueError, match=r"y_true\[0\] must be a sequence.*list\('ab'\)"):
        score(["ab"], [["a", "b"]])


def test_distance_of_strings_is_refused():
    with pytest.raises(ValueError, match="sequence of labels"):
        edit_distance("kitten", list("sitting"))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("weight", [3e38, 1e300, 1.5e308, 1e-46, 1e-320])
@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_only_ratios_of_weights_count_however_extreme(cell, task, weight, dtype):
    data = [x.astype(dtype) for x in X]
    y = targets_of(task)
    model = small(cell, task).fit(data, y, sample_weight=np.full(len(X), weight))
    ones = small(cell, task).fit(data, y, sample_weight=np.ones(len(X)))
    # The last weight is a denormal number of few digits.
    assert_close(model.loss_curve_, ones.loss_curve_, "f4", len(X))
    scores = [
        m.score(data, y, sample_weight=np.full(len(X), w)) for m, w in ((model, weight), (ones, 1))
    ]
    assert_close(*scores, "f4", len(X))


@pytest.mark.parametrize("weight", [3e38, 1e300])
@pytest.mark.parametrize("task", ["Classifier", "SequenceTagger"])
def test_extreme_class_weights_train(task, weight):
    y = targets_of(task)
    model = small("GRU", task, class_weight={0: weight, 1: weight}).fit(X, y)
    ones = small("GRU", task, class_weight={0: 1.0, 1: 1.0}).fit(X, y)
    assert_close(model.loss_curve_, ones.loss_curve_, "f4", len(X))


SEVERAL = {
    "Classifier": np.arange(len(X))[:, None] % [2, 3] > 0,
    "SequenceTagger": [np.stack([x[:, 0] > 0, x[:, 1] > 1], axis=1) for x in X],
}


def as_numbers(y):
    return y.astype(int) if isinstance(y, np.ndarray) else [part.astype(int) for part in y]


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 0.3, 7.0, 2.0**40, 1e300])
@pytest.mark.parametrize("several", [False, True], ids=["one label", "several labels"])
@pytest.mark.parametrize("task", SEVERAL)
def test_only_ratios_of_class_weights_count(task, several, scale):
    y = as_numbers(SEVERAL[task]) if several else targets_of(task)
    options = dict(early_stopping=True)
    model = small("GRU", task, class_weight={0: scale, 1: 3 * scale}, **options).fit(X, y)
    ones = small("GRU", task, class_weight={0: 1.0, 1: 3.0}, **options).fit(X, y)
    assert_close(model.loss_curve_, ones.loss_curve_, "f4", len(X))
    assert_close(model.validation_loss_curve_, ones.validation_loss_curve_, "f4", len(X))


@pytest.mark.parametrize("task", SEVERAL)
def test_loss_under_class_weights_is_the_weighted_mean_of_several_labels(task):
    y = as_numbers(SEVERAL[task])
    still = dict(solver="sgd", learning_rate_init=1e-12)
    model = small("GRU", task, class_weight={0: 1.0, 1: 99.0}, **still).fit(X, y)
    both = y, model.predict_proba(X)
    flat, shares = (np.concatenate([np.atleast_2d(part) for part in values]) for values in both)
    losses = -np.log(np.where(flat > 0, shares, 1 - shares))
    expected = flat.shape[1] * np.average(losses, weights=np.where(flat > 0, 99.0, 1.0))
    assert_close(model.loss_curve_, [expected] * 3, "f4", len(X))


def test_class_weights_of_one_change_no_bit_of_several_labels():
    y = as_numbers(SEVERAL["Classifier"])
    for weight in (1.0, 0.25, 2.0**30):
        model = small("GRU", "Classifier", class_weight={0: weight, 1: weight}).fit(X, y)
        assert model.loss_curve_ == small("GRU", "Classifier").fit(X, y).loss_curve_


@pytest.mark.parametrize("several", [False, True], ids=["one label", "several labels"])
@pytest.mark.parametrize("task", SEVERAL)
@pytest.mark.parametrize("cell", [*CELLS, "EchoState"])
def test_class_weights_that_leave_nothing_are_refused_by_name(cell, task, several):
    y = as_numbers(SEVERAL[task]) if several else targets_of(task)
    cls = getattr(rnnkit, cell + task)
    model = cls(3, class_weight={0: 0.0, 1: 0.0})
    for call in (model.fit, lambda X, y: model.partial_fit(X, y, classes=[0, 1])):
        with pytest.raises(ValueError, match="class_weight must leave a target with a weight"):
            call(X, y)
    model.set_params(class_weight={0: 0.0})
    nothing = 0 * y if isinstance(y, np.ndarray) else [0 * part for part in y]
    with pytest.raises(ValueError, match="class_weight must leave a target with a weight"):
        model.partial_fit(X, nothing, classes=[0, 1])


def scored(model, data, weights):
    """The score of a golden model, those of texts with the contexts they began with."""
    if isinstance(data.y, (list, np.ndarray)) and hasattr(model, "perplexity"):
        return model.score(data.X, sample_weight=weights, context=data.y)
    return model.score(data.X, data.y, sample_weight=weights, **data.call)


@pytest.mark.parametrize("name", MODELS)
def test_only_ratios_of_weights_count_in_every_score(name):
    model, data = trained(name)
    if not hasattr(model, "score"):
        return
    one_text = isinstance(data.X, str)
    weights = np.ones(1) if one_text else np.arange(1.0, len(data.X) + 1) % 5
    expected = scored(model, data, weights)
    for scale in (1e-200, 1e-6, 0.01, 1e200):
        np.testing.assert_allclose(scored(model, data, scale * weights), expected, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 0.01, 1.0, 100.0])
def test_lists_without_a_true_label_have_a_score_of_no_scale(scale):
    labels = rnnkit.GRUSequenceLabeller(3, max_iter=60, learning_rate_init=0.05, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels.fit(X, [["a"]] * len(X))
    weights = np.full(len(X), scale)
    empty = [[]] * len(X)
    np.testing.assert_allclose(labels.score(X, empty, weights), labels.score(X, empty))


def test_usual_weights_keep_their_bits():
    weights = np.array([0.0, 1e-5, 0.3, 7.0, 1e15])
    assert moderate(weights) is weights
    np.testing.assert_array_equal(
        moderate(weights * 2.0**80) / moderate(weights * 2.0**80)[1], weights / weights[1]
    )


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber", "quantile"])
@pytest.mark.parametrize("task", ["Regressor", "SequenceRegressor"])
def test_targets_near_the_largest_float32(task, loss):
    data = [x.astype("f4") for x in X]
    y = targets_of(task)
    scale = 3e38 / max(np.abs(np.max(values)) for values in y)
    y = y * scale if task == "Regressor" else [values * scale for values in y]
    model = small("GRU", task, loss=loss).fit(data, y)
    assert len(model.loss_curve_) == 3
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.score(data, y))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_labels_of_steps_with_a_last_axis_of_one(cell, n_classes):
    rng = np.random.RandomState(0)
    dense = rng.randn(12, 5, 2)
    y = rng.randint(0, n_classes, (12, 5, 1))
    model = small(cell, "SequenceTagger").fit(dense, y)
    flat = small(cell, "SequenceTagger").fit(dense, y[:, :, 0])
    np.testing.assert_array_equal(model.predict(dense), flat.predict(dense))
    assert model.predict(dense).shape == (12, 5)
    assert model.score(dense, y) == flat.score(dense, y[:, :, 0])
    small(cell, "SequenceTagger").fit(list(dense), list(y))


@pytest.mark.parametrize("cell", CELLS)
def test_one_kind_of_label_without_alignment(cell):
    y = [["beat"] * (1 + i % 2) for i in range(len(X))]
    model = estimator(cell, "SequenceLabeller", max_iter=60).fit(X, y)
    assert model.classes_.tolist() == ["beat"]
    assert model.predict_proba(X)[0].shape == (len(X[0]), 2)
    assert {label for labels in model.predict(X) for label in labels} <= {"beat"}
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "dtype, kind", [("Int64", "i"), ("UInt8", "u"), ("boolean", "b"), ("int8", "i")]
)
def test_nullable_labels_keep_their_kind(cell, dtype, kind):
    y = pd.Series(np.arange(len(X)) % 2).astype(dtype)
    for given in (y, y.array):
        model = small(cell, "Classifier").fit(X, given)
        assert model.classes_.dtype.kind == kind == model.predict(X).dtype.kind
    steps = [pd.Series(np.arange(len(x)) % 2).astype(dtype) for x in X]
    for task in ("SequenceTagger", "SequenceLabeller"):
        y = steps if task == "SequenceTagger" else [s[:1] for s in steps[:-1]] + [steps[-1][1:2]]
        assert small(cell, task).fit(X, y).classes_.dtype.kind == kind


def test_a_missing_nullable_label_is_refused():
    y = pd.Series([0, 1] * 12, dtype="Int64")
    y[3] = pd.NA
    with pytest.raises(ValueError, match="NaN"):
        small("GRU", "Classifier").fit(X, y)


DAYS = np.array(["2020-01-01", "2020-01-02"])
DATES = {
    "datetime64": DAYS.astype("M8[D]"),
    "timedelta64": np.array([1, 2], "m8[s]"),
    "dates": np.array([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], object),
    "Timestamps": np.array(list(pd.to_datetime(DAYS)), object),
}


@pytest.mark.parametrize("dates", DATES.values(), ids=DATES)
@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_dates_as_targets_are_refused(cell, task, dates):
    y = np.resize(dates, len(X))
    if task in PER_STEP:
        y = [np.resize(dates, len(x)) for x in X]
    elif task == "SequenceLabeller":
        y = [np.resize(dates, 2) for _ in X]
    with pytest.raises(ValueError, match=r"dates|2020|dtype|timedelta"):
        small(cell, task).fit(X, y)
    if task == "Classifier":
        for series in (pd.Series(y), pd.array(y)):
            with pytest.raises(ValueError, match="dates or times"):
                small(cell, task).fit(X, series)


@pytest.mark.parametrize("wrong", [{0, 1}, 2, [[0, 1]], [0, 1, np.nan], [0, None], ["a", 1]])
@pytest.mark.parametrize("task", ["Classifier", "SequenceTagger", "SequenceLabeller"])
@pytest.mark.parametrize("cell", [*CELLS, "EchoState"])
def test_classes_that_are_no_list_of_labels_are_refused_by_name(cell, task, wrong):
    cls = getattr(rnnkit, cell + task, None)
    if cls is None:
        return
    several = as_numbers(SEVERAL[task]) if task in SEVERAL else [[0]] * len(X)
    for y in (targets_of(task), several):
        with pytest.raises(ValueError, match=r"classes (must be a list of labels|mixes text)"):
            cls(3).partial_fit(X, y, classes=wrong)


MIXED = {
    "objects": np.array(["a", 1] * 12, object),
    "list": ["a", 1] * 12,
    "Series": pd.Series(["a", 1] * 12, dtype=object),
}
MISSING = {
    "None": np.array(["a", None] * 12, object),
    "list": ["a", None] * 12,
    "NA": pd.Series(["a", pd.NA] * 12, dtype="string"),
    "NaN": np.array(["a", np.nan] * 12, object),
}


@pytest.mark.parametrize("cell", [*CELLS, "EchoState"])
def test_labels_mixed_or_missing_are_refused_by_name(cell):
    for y in MIXED.values():
        with pytest.raises(ValueError, match="y mixes text and numbers"):
            getattr(rnnkit, cell + "Classifier")(3).fit(X, y)
    for y in MISSING.values():
        with pytest.raises(ValueError, match="Input y contains NaN"):
            getattr(rnnkit, cell + "Classifier")(3).fit(X, y)
    if cell in CELLS:
        with pytest.raises(ValueError, match="Input y contains NaN"):
            small(cell, "SequenceLabeller").fit(X, [["a", None]] * len(X))
        with pytest.raises(ValueError, match="y mixes text and numbers"):
            small(cell, "SequenceLabeller").fit(X, [["a", 1]] * len(X))


@pytest.mark.parametrize("task", PER_STEP)
@pytest.mark.parametrize("cell", [*CELLS, "EchoState"])
def test_steps_of_several_widths_or_none_are_refused_by_name(cell, task):
    model = getattr(rnnkit, cell + task)(3)
    wide = [np.ones((len(x), 2 + i % 2)) for i, x in enumerate(X)]
    flat = [np.ones((len(x), 2) if i % 2 else len(x)) for i, x in enumerate(X)]
    none = [np.ones((len(x), 0)) for x in X]
    for y in (wide, flat, none):
        with pytest.raises(ValueError, match="y must hold one value for every step, or as many"):
            model.fit(X, y)


@pytest.mark.parametrize("task", PER_STEP)
@pytest.mark.parametrize("cell", CELLS)
def test_weights_of_steps_and_sequences_at_once_are_refused_by_name(cell, task):
    of_steps = [np.ones(len(x)).tolist() for x in X]
    for weights in ([*of_steps[:1], *[1.0] * 23], [1.0, *of_steps[1:]]):
        with pytest.raises(ValueError, match=r"^sample_weight must hold one value per step"):
            small(cell, task).fit(X, targets_of(task), sample_weight=weights)


NO_NUMBERS = {
    "dates": pd.date_range("2020", periods=24),
    "seconds": np.arange(24).astype("m8[s]"),
    "zoned": pd.Series(pd.date_range("2020", periods=24, tz="UTC")),
    "text": pd.Series(["1"] * 24, dtype="string"),
    "categories": pd.Series(["1", "2"] * 12, dtype="category"),
    "complex": np.ones(24) * 1j,
    "objects": np.array([object()] * 24),
}
NO_LISTS = {
    "set": set(range(24)),
    "dict": dict.fromkeys(range(24), 1.0),
    "values": dict.fromkeys(range(24), 1.0).values(),
    "iterator": iter(range(24)),
    "no dimension": np.array(None),
}
# Every estimator of labels and numbers, with the trained cells that share their code once.
KINDS = [
    *(
        (cell, task)
        for cell in ("GRU", "EchoState")
        for task in TASKS
        if hasattr(rnnkit, cell + task)
    ),
    ("Evolino", "Regressor"),
    ("Evolino", "SequenceRegressor"),
]


def calls_with_y(cell, task):
    """Return what takes y and weights: `fit`, `score` and where there is one `partial_fit`."""
    options = {"generations": 1, "population": 8} if cell == "Evolino" else {"random_state": 0}
    model = getattr(rnnkit, cell + task)(3, **options)
    if cell == "GRU":
        model.set_params(max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, targets_of(task))
    names = [name for name in ("fit", "partial_fit", "score") if hasattr(model, name)]
    return [getattr(model, name) for name in names]


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize(("cell", "task"), KINDS)
def test_weights_that_are_no_numbers_are_refused_by_name(cell, task, kind):
    for call in calls_with_y(cell, task):
        with pytest.raises((ValueError, TypeError), match=r"sample_weight (must hold|has dtype)"):
            call(X, targets_of(task), sample_weight=NO_NUMBERS[kind])


@pytest.mark.parametrize("kind", NO_LISTS)
@pytest.mark.parametrize(("cell", "task"), KINDS)
def test_what_lists_nothing_in_order_is_refused_by_name(cell, task, kind):
    for call in calls_with_y(cell, task):
        with pytest.raises(TypeError, match=r"^y must be an array"):
            call(X, NO_LISTS[kind])
        with pytest.raises((TypeError, ValueError), match=r"^sample_weight must"):
            call(X, targets_of(task), sample_weight=NO_LISTS[kind])


@pytest.mark.parametrize("dtype", ["U1", object, np.dtypes.StringDType()])
@pytest.mark.parametrize(("cell", "task"), [kind for kind in KINDS if "Regressor" not in kind[1]])
def test_text_of_any_dtype_is_labels(cell, task, dtype, tmp_path):
    texts = np.array(["b", "a"] * 12).astype(dtype)
    y = texts if task == "Classifier" else [texts[: len(x)] for x in X]
    if task == "SequenceLabeller":
        y = [labels[:2] for labels in y]
    model = type(calls_with_y(cell, task)[0].__self__)(3, random_state=0).fit(X, y)
    assert model.classes_.tolist() == ["a", "b"]
    rnnkit.save(model, tmp_path / "model")
    again = rnnkit.load(tmp_path / "model")
    assert again.score(X, y) == model.score(X, y)
    other = type(model)(3).partial_fit(X, y, classes=np.array(["a", "b"]).astype(dtype))
    assert other.classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_label_in_a_list_is_told_as_such(missing):
    for cell in ("GRU", "EchoState"):
        with pytest.raises(ValueError, match=r"Input y contains NaN"):
            getattr(rnnkit, cell + "Classifier")(3).fit(X, [missing, "a"] * 12)


def test_labels_for_a_regressor_are_not_to_be_named_in_categorical_features():
    for y in (pd.Series(["1", "2"] * 12, dtype="category"), pd.Series(["1"] * 24, dtype="string")):
        with pytest.raises(
            ValueError, match=r"^y must hold real numbers.*\); encode it as numbers"
        ):
            rnnkit.GRURegressor(3).fit(X, y)
