"""Steps whose target is not known count for nothing: NaN, None or a label of the user's choice."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from estimators.problems import CELLS, estimator, padded, ragged
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from tolerances import assert_close

from rnnkit.estimators import fitted
from rnnkit.estimators.codecs import codec_from_dict
from rnnkit.estimators.unlabelled import fill, labelled_entries
from rnnkit.preprocessing import SequenceScaler
from rnnkit.sequences import Sequences

X = ragged(32)
LENGTHS = np.array([len(x) for x in X])
RNG = np.random.RandomState(0)
KNOWN = [RNG.rand(n) < 0.6 for n in LENGTHS]
KNOWN[3][:] = False  # a sequence without any label
KNOWN[4][:] = True
TAGS = [np.where(x[:, 0] > 0, "up", "down") for x in X]
CODES = [(x[:, 0] > 0).astype(int) for x in X]
NUMBERS = [np.round(abs(x[:, 0] + 1.5), 3) for x in X]
LOSSES = ("squared", "absolute", "huber", "quantile", "poisson")


def with_gaps(targets, gap=None):
    """Return targets as lists, with a gap where they are not known."""
    pairs = zip(targets, KNOWN)
    return [[v if k else gap for v, k in zip(t.tolist(), known)] for t, known in pairs]


def weights():
    return [known.astype(float) for known in KNOWN]


def bits(model):
    return model.network_.parameters.flat.tobytes(), model.loss_curve_


def small(task, cell="GRU", **options):
    return estimator(cell, task, **{"hidden_size": 4, "max_iter": 3, "batch_size": 8, **options})


# One column: as weights 0 would have it.


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_tagger_has_the_bits_of_weights_that_are_zero(cell, dtype):
    data = [x.astype(dtype) for x in X]
    expected = small("SequenceTagger", cell).fit(data, TAGS, weights())
    for y in (
        with_gaps(TAGS),
        with_gaps(TAGS, np.nan),
        with_gaps(TAGS, pd.NA),
        [np.array(t, object) for t in with_gaps(TAGS)],
        [None if not k.any() else t for t, k in zip(with_gaps(TAGS), KNOWN)],
    ):
        found = small("SequenceTagger", cell).fit(data, y)
        assert bits(found) == bits(expected)
        assert found.classes_.tolist() == ["down", "up"]
        assert found.score(data, y) == expected.score(data, TAGS, weights())


@pytest.mark.parametrize(
    ("targets", "gap"),
    [(TAGS, "PAD"), (TAGS, -100), (CODES, -100), (CODES, 7.0), (CODES, "?")],
    ids=["text", "number in text", "number", "float", "text in numbers"],
)
@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_a_label_of_the_users_choice(targets, gap, output):
    expected = small("SequenceTagger", output=output).fit(X, with_gaps(targets))
    model = small("SequenceTagger", output=output, ignore_label=gap)
    y = with_gaps(targets, gap)
    found = model.fit(X, y)
    assert bits(found) == bits(expected)
    assert found.classes_.tolist() == expected.classes_.tolist()
    assert found.score(X, y) == expected.score(X, with_gaps(targets))
    both = [[np.nan if v == gap and i % 2 else v for i, v in enumerate(t)] for t in y]
    assert bits(clone(model).fit(X, both)) == bits(expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_regressor_has_the_bits_of_weights_that_are_zero(loss):
    y = with_gaps(NUMBERS, np.nan)
    filled = fill(np.concatenate(y), np.concatenate(KNOWN))
    filled = np.split(filled, np.cumsum(LENGTHS)[:-1])
    expected = small("SequenceRegressor", loss=loss).fit(X, filled, weights())
    for gaps in (y, with_gaps(NUMBERS), with_gaps(NUMBERS, pd.NA)):
        found = small("SequenceRegressor", loss=loss).fit(X, gaps)
        assert bits(found) == bits(expected)
        assert found.score(X, gaps) == expected.score(X, filled, weights())


@pytest.mark.parametrize("task", ["SequenceTagger", "SequenceRegressor"])
@pytest.mark.parametrize("form", ["dense", "lengths", "objects", "Sequences", "frame"])
def test_every_form_of_y(task, form):
    targets = CODES if task == "SequenceTagger" else NUMBERS
    y = [np.array(t, float) for t in with_gaps(targets, np.nan)]
    sequences, call = X, {}
    expected = small(task).fit(X, y)
    if form == "lengths":
        sequences, lengths = padded(X)
        call, y = {"lengths": lengths}, padded([t[:, None] for t in y])[0][:, :, 0]
    elif form == "objects":
        y = pd.Series([t.tolist() if len(t) else t for t in y])
        y.iloc[3] = np.nan  # in place of a sequence without any
    elif form == "Sequences":
        y = Sequences.from_list(y, allow_nan=True)
    elif form in ("dense", "frame"):
        sequences = np.stack([x[:3] for x in X])
        y = np.stack([t[:3] for t in y])
        expected = small(task).fit(list(sequences), list(y))
        if form == "frame":
            y = pd.DataFrame(y).astype("Int64" if task == "SequenceTagger" else "Float64")
    found = small(task).fit(sequences, y, **call)
    assert bits(found) == bits(expected)
    assert np.isfinite(found.score(sequences, y, **call))


# What stands in place of a target that is not known is never looked at.

MODES = {
    "softmax": ("SequenceTagger", {}, TAGS, None),
    "balanced": ("SequenceTagger", {"class_weight": "balanced"}, TAGS, None),
    "smoothed": ("SequenceTagger", {"label_smoothing": 0.2}, TAGS, None),
    "crf": ("SequenceTagger", {"output": "crf"}, TAGS, None),
    "bptt": ("SequenceTagger", {"bptt_steps": 2}, TAGS, None),
    "lbfgs": ("SequenceTagger", {"solver": "lbfgs"}, TAGS, None),
    "early": ("SequenceTagger", {"early_stopping": True, "monitor": "score"}, TAGS, None),
    **{loss: ("SequenceRegressor", {"loss": loss}, NUMBERS, np.nan) for loss in LOSSES},
    "quantiles": (
        "SequenceRegressor",
        {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]},
        NUMBERS,
        np.nan,
    ),
    "early numbers": ("SequenceRegressor", {"early_stopping": True}, NUMBERS, np.nan),
}


def several(targets, gap):
    """Return two columns, of which the second has other gaps than the first."""
    columns = [targets, [t[::-1] for t in targets]]
    out = []
    for i, pair in enumerate(zip(*columns)):
        y = np.column_stack(pair).astype(object if gap is None else float)
        y[~KNOWN[i], 0] = gap
        y[KNOWN[i][::-1] & (np.arange(len(y)) % 2 > 0), 1] = gap
        out.append(y)
    return out


VECTORS = several(NUMBERS, np.nan)
SEVERAL = {
    "indicators": ("SequenceTagger", {}, several(CODES, np.nan)),
    "indicators balanced": ("SequenceTagger", {"class_weight": "balanced"}, several(CODES, np.nan)),
    **{f"several {loss}": ("SequenceRegressor", {"loss": loss}, VECTORS) for loss in LOSSES},
    "vectors early": ("SequenceRegressor", {"early_stopping": True}, VECTORS),
}
EVERY = {
    **{name: (task, options, with_gaps(t, gap)) for name, (task, options, t, gap) in MODES.items()},
    **SEVERAL,
}


def other_fill(targets, labelled):
    """Fill with the last known entry of a column in place of the first."""
    return fill(targets[::-1], labelled[::-1])[::-1]


@pytest.mark.parametrize("mode", EVERY)
@pytest.mark.filterwarnings("ignore")
def test_nothing_depends_on_what_fills_the_gaps(mode, monkeypatch):
    task, options, y = EVERY[mode]
    found = small(task, **options).fit(X, y, validation_data=None)
    assert np.isfinite(found.loss_curve_).all()
    score = found.score(X, y)
    monkeypatch.setattr(fitted, "fill", other_fill)
    other = small(task, **options).fit(X, y)
    assert bits(other) == bits(found)
    assert other.score(X, y) == score
    assert other.validation_loss_curve_ == found.validation_loss_curve_


@pytest.mark.parametrize("mode", EVERY)
@pytest.mark.filterwarnings("ignore")
def test_every_way_to_train(mode):
    task, options, y = EVERY[mode]
    if options.get("solver") != "lbfgs" and "early_stopping" not in options:
        classes = {}
        if task == "SequenceTagger":
            classes = {"classes": [0, 1] if mode in SEVERAL else ["down", "up"]}
        if options.get("class_weight") != "balanced":
            once = small(task, **options).partial_fit(X, y, **classes)
            again = pickle.loads(pickle.dumps(once)).partial_fit(X[5:], y[5:])
            assert bits(once.partial_fit(X[5:], y[5:])) == bits(again)
    model = small(task, **options).fit(X, y, validation_data=(X[5:15], y[5:15]))
    assert np.isfinite(model.validation_loss_curve_).all()
    assert np.isfinite(model.validation_scores_).all()
    weighted = small(task, **options).fit(X, y, sample_weight=LENGTHS)
    assert np.isfinite(weighted.loss_curve_).all()
    model.set_params(warm_start=True).fit(X, y)
    assert bits(pickle.loads(pickle.dumps(model))) == bits(model)


@pytest.mark.parametrize("mode", ["softmax", "crf", "squared", "several absolute", "indicators"])
def test_pipelines_and_searches(mode):
    task, options, y = EVERY[mode]
    model = make_pipeline(SequenceScaler(), small(task, **options))
    targets = np.empty(len(y), object)
    targets[:] = [np.array(t, object if mode in ("softmax", "crf") else float) for t in y]
    scores = cross_val_score(model, X, targets, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    name = f"gru{task.lower()}__hidden_size"
    search = GridSearchCV(model, {name: [2, 3]}, cv=2, error_score="raise")
    assert np.isfinite(search.fit(Sequences.from_list(X), targets).best_score_)


def test_rules_of_a_field_hold_between_labels():
    """A gap takes the one label that the rules leave; what no label can join is refused."""
    rules = [("up", "up"), ("down", "down")]
    y = [["up", "down"][i % 2 :] + ["up", "down"] * (n // 2) for i, n in enumerate(LENGTHS)]
    y = [t[:n] for t, n in zip(y, LENGTHS)]
    gaps = [[v if k else None for v, k in zip(t, known)] for t, known in zip(y, KNOWN)]
    model = small("SequenceTagger", output="crf", forbidden_transitions=rules, max_iter=30)
    model.fit(X, gaps)
    for labels in model.predict(X):
        assert all(a != b for a, b in pairwise(labels))
    assert np.isfinite(model.loss_curve_).all()
    gaps[4] = ["up", None, "down", *[None] * (LENGTHS[4] - 3)]
    with pytest.raises(ValueError, match=r"sequence 4 has unlabelled steps .* up to step 2"):
        model.fit(X, gaps)


# Numbers by hand.


def test_the_score_of_a_tagger_is_over_labelled_steps():
    model = small("SequenceTagger", max_iter=20).fit(X, with_gaps(TAGS))
    right = np.concatenate(list(model.predict(X))) == np.concatenate(TAGS)
    expected = right[np.concatenate(KNOWN)].mean()
    assert_close(model.score(X, with_gaps(TAGS)), expected, np.float64, right.size)


def test_the_score_of_several_numbers_is_the_mean_of_columns():
    y = several(NUMBERS, np.nan)
    model = small("SequenceRegressor").fit(X, y)
    true, found = np.concatenate(y), np.concatenate(list(model.predict(X)))
    expected = []
    for t, p in zip(true.T, found.T):
        known = ~np.isnan(t)
        spread = ((t[known] - t[known].mean()) ** 2).sum()
        expected.append(1 - ((t[known] - p[known]) ** 2).sum() / spread)
    assert_close(model.score(X, y), np.mean(expected), np.float64, len(true))
    y[0] = y[0].copy()
    only_one = [np.column_stack([t[:, 0], np.full(len(t), np.nan)]) for t in y]
    assert_close(model.score(X, only_one), expected[0], np.float64, len(true))


@pytest.mark.parametrize("task", ["SequenceTagger", "SequenceRegressor"])
def test_the_loss_of_several_columns_is_the_mean_over_labelled_entries(task):
    y = several(CODES if task == "SequenceTagger" else NUMBERS, np.nan)
    model = small(task, max_iter=1, learning_rate_init=1e-30, tol=0, batch_size=len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    true = np.concatenate(y)
    known = ~np.isnan(true)
    if task == "SequenceTagger":
        p = np.concatenate(list(model.predict_proba(X)))
        losses = -np.where(true > 0, np.log(p), np.log(1 - p))
        expected = losses[known].mean() * true.shape[1]
        assert_close(model.loss_, expected, np.float64, true.size * 1000)
    else:  # squared errors in the unit of standard deviations, told in that of y
        errors = (np.concatenate(list(model.predict(X))) - true) / np.nanstd(true, axis=0)
        expected = (errors[known] ** 2).mean() / 2 * np.mean(np.nanstd(true, axis=0) ** 2)
        assert_close(model.loss_, expected, np.float64, true.size * 1000)


def test_numbers_are_standardized_by_those_that_are_known():
    y = with_gaps(NUMBERS, np.nan)
    output = small("SequenceRegressor").fit(X, y).network_.output
    known = np.concatenate(NUMBERS)[np.concatenate(KNOWN)]
    assert_close(output.center[0], known.mean(), np.float64, known.size)
    assert_close(output.scale[0], known.std(), np.float64, known.size)
    both = small("SequenceRegressor").fit(X, several(NUMBERS, np.nan)).network_.output
    columns = np.concatenate(several(NUMBERS, np.nan))
    assert_close(np.array(both.center), np.nanmean(columns, axis=0), np.float64, known.size)
    assert_close(np.array(both.scale), np.nanstd(columns, axis=0), np.float64, known.size)


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_labels_are_learnt_from_few(output):
    data = ragged(60, seed=5)
    truth = [np.where(x[:, 0] > 0, "up", "down") for x in data]
    rng = np.random.RandomState(1)
    y = [[v if rng.rand() < 0.3 else None for v in t] for t in truth]
    y[0] = [None] * len(y[0])
    model = estimator("LSTM", "SequenceTagger", output=output, max_iter=60).fit(data, y)
    assert model.score(data, truth) > 0.9


def test_a_field_learns_what_lies_between_labels():
    """Only the ends of A B A B ... are labelled; transitions tell the rest."""
    rng = np.random.RandomState(0)
    data = [rng.randn(5, 1) for _ in range(20)]
    y = [["A", "B", "A", "B", "A"] for _ in data[:4]] + [["A", None, None, None, "A"]] * 16
    model = estimator("RNN", "SequenceTagger", output="crf", max_iter=80).fit(data, y)
    assert all(list(labels) == ["A", "B", "A", "B", "A"] for labels in model.predict(data))


# What is refused.


def test_nothing_labelled_is_refused():
    for task, targets in (("SequenceTagger", TAGS), ("SequenceRegressor", NUMBERS)):
        none = [[None] * n for n in LENGTHS]
        y = with_gaps(targets)
        model = small(task).fit(X, y)
        before = bits(model)
        calls = [
            lambda: model.fit(X, none),  # noqa: B023
            lambda: model.partial_fit(X, none),  # noqa: B023
            lambda: model.score(X, none),  # noqa: B023
            lambda: model.fit(X, y, validation_data=(X, none)),  # noqa: B023
        ]
        for call in calls:
            with pytest.raises(ValueError, match="y must have a labelled step"):
                call()
        assert bits(model) == before


def test_a_column_without_any_label_is_refused():
    y = [np.column_stack([t, np.full(len(t), np.nan)]) for t in NUMBERS]
    with pytest.raises(ValueError, match="a weight above 0, but has none in column 1"):
        small("SequenceRegressor").fit(X, y)


def test_labels_without_a_weight_are_refused():
    zero = [1.0 - known for known in KNOWN]
    with pytest.raises(ValueError, match="labelled step with a weight above 0"):
        small("SequenceTagger").fit(X, with_gaps(TAGS), zero)


def test_targets_of_sequences_stay_complete():
    for task in ("Classifier", "Regressor"):
        with pytest.raises(ValueError, match="NaN"):
            small(task).fit(X, np.where(np.arange(len(X)) % 3, 1.0, np.nan))


def test_the_label_to_ignore_is_no_class():
    model = small("SequenceTagger", ignore_label="PAD")
    with pytest.raises(ValueError, match="classes must not hold ignore_label='PAD'"):
        model.partial_fit(X, with_gaps(TAGS, "PAD"), classes=["PAD", "down", "up"])
    model.partial_fit(X, with_gaps(TAGS, "PAD"), classes=["down", "up"])
    model.ignore_label = "up"
    with pytest.raises(ValueError, match="ignore_label='up' was 'PAD'"):
        model.partial_fit(X, with_gaps(TAGS, "PAD"))
    assert np.isfinite(model.score(X, with_gaps(TAGS, "PAD")))


def test_text_beside_numbers_is_refused():
    y = [list(t) for t in TAGS]
    y[2] = [1] * len(y[2])
    with pytest.raises(ValueError, match="mixes text and numbers"):
        small("SequenceTagger").fit(X, y)
    y[2] = ["up", *[1] * (LENGTHS[2] - 1)]
    with pytest.raises(ValueError, match="mixes text and numbers"):
        small("SequenceTagger").fit(X, y)


def test_infinity_is_no_gap():
    y = with_gaps(NUMBERS, np.inf)
    with pytest.raises(ValueError, match="infinity"):
        small("SequenceRegressor").fit(X, y)


# The room itself.


def test_which_entries_are_labelled():
    assert labelled_entries(np.array([1, 2])) is None
    assert labelled_entries(np.array(["a", "nan"])) is None
    assert labelled_entries(np.array([1, -1]), -1).tolist() == [True, False]
    assert labelled_entries(np.array([1, -1]), "PAD") is None
    found = labelled_entries(np.array(["a", None, np.nan, pd.NA, "PAD"], object), "PAD")
    assert found.tolist() == [True, False, False, False, False]


def test_a_codec_remembers_what_it_ignores():
    for y in (with_gaps(TAGS, "PAD"), [np.where(t < 0, -1, t) for t in CODES]):
        gap = "PAD" if isinstance(y, list) and isinstance(y[0], list) else -1
        codec = small("SequenceTagger", ignore_label=gap).fit(X, y)._codec
        assert codec_from_dict(codec.to_dict()).ignore_label == gap
    assert "ignore_label" not in small("SequenceTagger").fit(X, TAGS)._codec.to_dict()
