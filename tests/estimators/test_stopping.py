"""When a fit ends: patience in updates, planned rates, validation that can decide."""

import warnings

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, numbers_of, ragged, tags_of
from tolerances import assert_close

from rnnkit.estimators.fitting import MIN_UPDATES, N_UPDATES_NO_CHANGE
from rnnkit.training import LBFGS, SGD

X = ragged(60)
Y = labels_of(X)
TARGETS = {
    "Classifier": Y,
    "Regressor": np.array([x[-1].sum() for x in X]),
    "SequenceTagger": tags_of(X),
    "SequenceRegressor": numbers_of(X),
    "SequenceLabeller": [["a"] if label == "up" else ["b"] for label in Y],
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("batch_size", [60, 4])
def test_patience_counts_updates(batch_size):
    """Nothing is ever learnt here: the rate is too small."""
    model = estimator(
        "GRU", "Classifier", learning_rate="constant", learning_rate_init=1e-12, max_iter=1500,
        n_iter_no_change=5, batch_size=batch_size,
    ).fit(X, Y)  # fmt: skip
    n_updates = model.n_iter_ * -(-len(X) // batch_size)
    assert MIN_UPDATES <= n_updates <= MIN_UPDATES + 2 * N_UPDATES_NO_CHANGE
    assert model.n_iter_ < 1500


@pytest.mark.parametrize("learning_rate", ["linear", "cosine"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_planned_rate_runs_to_its_end_without_a_warning(learning_rate, early_stopping):
    model = estimator(
        "GRU", "Classifier", learning_rate=learning_rate, max_iter=80, n_iter_no_change=1,
        batch_size=1, tol=1e3, early_stopping=early_stopping,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y)
    assert model.n_iter_ == 80


def test_tol_is_a_share_of_the_first_loss():
    """The unit of a loss does not decide when it has stalled."""
    y = TARGETS["Regressor"]
    settings = dict(learning_rate="constant", batch_size=2, max_iter=200, loss="poisson")
    counts = np.round(np.exp(y))
    one = estimator("GRU", "Regressor", tol=0.5, **settings).fit(X, counts)
    assert one.n_iter_ < 200


@pytest.mark.parametrize("task", TARGETS)
def test_both_curves_are_recorded_for_every_task(task):
    model = estimator("GRU", task, max_iter=6, early_stopping=True).fit(X, TARGETS[task])
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == 6
    assert np.isfinite(model.validation_loss_curve_).all()
    assert model.best_epoch_ == int(np.argmin(model.validation_loss_curve_)) + 1
    weighted = estimator("GRU", task, max_iter=6, early_stopping=True)
    weighted.fit(X, TARGETS[task], sample_weight=np.linspace(0.5, 2, 60))
    assert weighted.validation_loss_curve_ != model.validation_loss_curve_


@pytest.mark.parametrize("crf", ["softmax", "crf"])
def test_the_validation_loss_is_that_of_the_kept_weights(crf):
    X_val, y_val = ragged(9, seed=5), tags_of(ragged(9, seed=5))
    model = estimator("LSTM", "SequenceTagger", output=crf, max_iter=12)
    model.fit(X, TARGETS["SequenceTagger"], validation_data=(X_val, y_val))
    again = estimator("LSTM", "SequenceTagger", output=crf, max_iter=model.best_epoch_)
    again.set_params(learning_rate="constant")
    if crf == "softmax":
        chosen = [
            np.log(p[np.arange(len(p)), (np.array(y) == "up").astype(int)])
            for p, y in zip(model.predict_proba(X_val), y_val)
        ]
        best = min(model.validation_loss_curve_)
        assert_close(-np.concatenate(chosen).mean(), best, np.float64, 100)


def test_one_sequence_decides_by_its_loss_but_has_no_score():
    y = TARGETS["Regressor"]
    held_out = (X[:1], y[:1])
    model = estimator("LSTM", "Regressor", max_iter=5).fit(X, y, validation_data=held_out)
    assert np.isfinite(model.validation_loss_curve_).all()
    by_score = estimator("LSTM", "Regressor", max_iter=5, monitor="score")
    with pytest.raises(ValueError, match="monitor='score' cannot decide"):
        by_score.fit(X, y, validation_data=held_out)
    assert not hasattr(by_score, "network_")


def test_rare_classes_are_split_as_they_come():
    model = estimator("GRU", "Classifier", early_stopping=True, max_iter=2)
    model.fit(X, np.arange(60) % 20)
    model.fit(X, np.arange(60) % 30)  # more classes than sequences to judge by
    model.fit(X, ["once", *["often"] * 30, *["too"] * 29])


def test_common_classes_are_split_in_equal_shares(monkeypatch):
    seen = []
    from rnnkit.estimators import base

    def noted(*arguments):
        parts = split(*arguments)
        seen.append([np.bincount(part.targets) for part in parts])
        return parts

    split = base.set_aside
    monkeypatch.setattr(base, "set_aside", noted)
    y = np.array(["a"] * 45 + ["b"] * 15)
    estimator("GRU", "Classifier", early_stopping=True, max_iter=1).fit(X, y)
    ((training, validation),) = seen
    assert validation.tolist() == [15, 5]
    assert training.tolist() == [30, 10]


def test_parts_without_weight_are_refused():
    for weights in (np.eye(60)[0], np.eye(60)[3]):
        model = estimator("GRU", "Classifier", early_stopping=True)
        with pytest.raises(ValueError, match="no sample_weight above 0"):
            model.fit(X, Y, sample_weight=weights)


def test_few_sequences_cannot_be_split():
    with pytest.raises(ValueError, match="fewer than 2 for validation"):
        estimator("GRU", "Classifier", early_stopping=True).fit(X[:4], ["a", "b", "a", "b"])


BY_TIME = dict(early_stopping=True, validation_split="time", validation_fraction=0.25)


def cut(pieces, part):
    """Return the first or the last steps of each; a quarter of them, at least one, are last."""
    cuts = [len(piece) - max(round(0.25 * len(piece)), 1) for piece in pieces]
    return [p[:c] if part == "first" else p[c:] for p, c in zip(pieces, cuts)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_a_split_by_time_trains_on_the_first_steps(cell, weighted):
    """To the bit: nothing is drawn for it, and no later step is seen."""
    y = TARGETS["SequenceTagger"]
    weights = [np.linspace(0.5, 2, len(x)) for x in X] if weighted else None
    model = estimator(cell, "SequenceTagger", max_iter=1, bidirectional=True, **BY_TIME)
    model.fit(X, y, sample_weight=weights)
    first = estimator(cell, "SequenceTagger", max_iter=1, bidirectional=True)
    first.fit(
        cut(X, "first"),
        cut([np.asarray(v) for v in y], "first"),
        sample_weight=cut(weights, "first") if weighted else None,
    )
    assert np.array_equal(model.network_.parameters.flat, first.network_.parameters.flat)
    assert model.loss_curve_ == first.loss_curve_


def test_later_steps_of_numbers_are_not_trained_on():
    """Later targets count in the mean that the network starts from, as those of all sequences."""
    y = TARGETS["SequenceRegressor"]
    later = [np.concatenate(parts) for parts in zip(cut(X, "first"), cut([-x for x in X], "last"))]
    models = [
        estimator("LSTM", "SequenceRegressor", max_iter=1, bidirectional=True, **BY_TIME).fit(Z, y)
        for Z in (X, later)
    ]
    flat, other = (model.network_.parameters.flat for model in models)
    assert np.array_equal(flat, other)
    assert models[0].validation_loss_curve_ != models[1].validation_loss_curve_


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_split_by_time_is_judged_by_the_last_steps_after_those_before(bidirectional):
    y = TARGETS["SequenceRegressor"]
    model = estimator(
        "GRU", "SequenceRegressor", max_iter=12, bidirectional=bidirectional, **BY_TIME
    ).fit(X, y)
    best = model.best_epoch_ - 1
    predictions = np.concatenate(cut(model.predict(X), "last"))
    truth = np.concatenate(cut(y, "last"))
    residual = ((predictions - truth) ** 2).sum()
    assert_close(model.validation_loss_curve_[best], residual / len(truth) / 2, np.float64, 1000)
    score = 1 - residual / ((truth - truth.mean()) ** 2).sum()
    assert_close(model.validation_scores_[best], score, np.float64, 1000)


def test_a_split_by_time_takes_one_long_series():
    wave = np.sin(np.arange(300) / 9)[None, :]
    model = estimator("GRU", "SequenceRegressor", max_iter=3, **BY_TIME)
    model.fit(wave[:, :-1], wave[:, 1:])
    assert len(model.validation_loss_curve_) == 3
    with pytest.raises(ValueError, match="leaves fewer than 2"):
        model.set_params(validation_split="random").fit(wave[:, :-1], wave[:, 1:])


def test_a_split_by_time_needs_scores_of_single_steps():
    for task, settings in (
        ("Classifier", {}), ("Regressor", {}), ("SequenceLabeller", {}),
        ("SequenceTagger", {"output": "crf"}),
    ):  # fmt: skip
        model = estimator("GRU", task, **settings, **BY_TIME)
        with pytest.raises(ValueError, match=r"'validation_split' parameter of GRU.*'random'"):
            model.fit(X, TARGETS[task])
    one = np.zeros((5, 1))
    with pytest.raises(ValueError, match="needs a sequence of at least 2 steps"):
        estimator("GRU", "SequenceRegressor", **BY_TIME).fit(one, one)
    weights = [np.r_[np.ones(len(x) - 1), 0.0] for x in X[:1]]
    model = estimator("GRU", "SequenceTagger", **{**BY_TIME, "validation_fraction": 0.01})
    with pytest.raises(ValueError, match=r"validation part .* no sample_weight above 0"):
        model.fit(X[:1], TARGETS["SequenceTagger"][:1], sample_weight=weights)


def test_several_labels_per_step_are_scored_one_by_one():
    y = [np.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 0] > 9], axis=1).astype(int) for x in X]
    model = estimator("GRU", "SequenceTagger", max_iter=20).fit(X, y)
    right = np.concatenate([p == t for p, t in zip(model.predict(X), y)])
    assert model.score(X, y) == pytest.approx(right.mean())
    assert right.all(axis=1).mean() < right.mean()


def test_a_solver_changed_between_calls_of_partial_fit_is_taken_up():
    """Its own parameter is the solver's, an object that stays the same."""

    def after(momentum):
        model = estimator("GRU", "Classifier", solver=SGD(momentum=0.9))
        model.partial_fit(X, Y, classes=["down", "up"]).set_params(solver__momentum=momentum)
        return model.partial_fit(X, Y).partial_fit(X, Y).predict_proba(X)

    assert not np.array_equal(after(0.9), after(0.0))


def test_a_fit_without_an_epoch_tells_the_loss_of_its_weights():
    y = TARGETS["Regressor"]
    solver = LBFGS(gradient_tolerance=1e9)
    for weights, alpha in ((None, 0.0), (np.linspace(1, 2, 60), 0.5)):
        model = estimator("GRU", "Regressor", solver=solver, alpha=alpha)
        with pytest.warns(UserWarning, match="took no step"):
            model.fit(X, y, sample_weight=weights)
        assert model.n_iter_ == 0
        residuals = (model.predict(X) - y) ** 2 / 2
        penalty = sum((w**2).sum() for w in model.weights_.values() if w.ndim > 1)
        unit = model.network_.output.loss_unit
        total = 60 if weights is None else weights.sum()
        expected = np.average(residuals, weights=weights) + unit * alpha / 2 * penalty / total
        assert_close(model.loss_, expected, np.float64, 1000)
        assert model.best_loss_ == model.loss_
