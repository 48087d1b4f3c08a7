"""Callbacks of scikit-learn, of rnnkit and functions: what they see of every fit, and change."""

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from estimators.own_watcher import Own
from estimators.problems import estimator, labels_of, numbers_of, padded, ragged, tags_of
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import rnnkit
from rnnkit.metrics import token_accuracy_scorer
from rnnkit.preprocessing import SequenceScaler
from rnnkit.training import EpochCallback

callback = pytest.importorskip("sklearn.callback")

X = ragged(30)
Y = labels_of(X)
TARGETS = {
    "Classifier": Y,
    "Regressor": np.array([x.sum() for x in X]),
    "SequenceTagger": tags_of(X),
    "SequenceRegressor": numbers_of(X),
    "SequenceLabeller": [list(tags[:2]) for tags in tags_of(X)],
}
TASKS = sorted(TARGETS)
CELL = dict(zip(TASKS, ("RNN", "LSTM", "GRU", "LSTM", "GRU")))


def small(task="Classifier", cell=None, **parameters):
    settings = {"hidden_size": 3, "max_iter": 4, "learning_rate": "linear", **parameters}
    return estimator(cell or CELL[task], task, **settings)


class Recorder:
    """A callback of scikit-learn that notes every hook, and ends the training after an epoch."""

    def __init__(self, ends_after=None):
        self.seen = []
        self.fitted = []
        self.ends_after = ends_after

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.seen.append(f"end {context.task_name}")
        self.fitted.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 == self.ends_after


def hooks(n_epochs, name="fit"):
    return [
        "setup",
        f"begin {name}",
        *["begin epoch", "end epoch"] * n_epochs,
        f"end {name}",
        "teardown",
    ]


def weights_of(fitted):
    return fitted.network_.parameters.flat


def same_attributes(before, now):
    assert before.keys() == now.keys()
    for name, value in before.items():
        assert now[name] is value, name


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_watched_training_has_the_same_bits(task, solver):
    plain = small(task, solver=solver).fit(X, TARGETS[task])
    recorder, epochs = Recorder(), []
    watched = small(task, solver=solver).set_callbacks(recorder, epochs.append)
    watched.fit(X, TARGETS[task])
    np.testing.assert_array_equal(weights_of(watched), weights_of(plain))
    assert watched.loss_curve_ == plain.loss_curve_
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch.logs["loss"] for epoch in epochs] == plain.loss_curve_
    assert recorder.seen == hooks(4)
    assert vars(watched).keys() - vars(plain).keys() == {"_skl_callbacks"}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}], ids=["loss", "quantile"])
def test_an_epoch_is_what_a_fit_that_ends_there_gives(task, options):
    if options and not task.endswith("Regressor"):
        pytest.skip("has no such loss")
    epochs = []
    keep = lambda epoch: epochs.append(epoch.fitted())
    settings = {"learning_rate": "constant", **options}
    recorder = Recorder()
    watched = small(task, **settings).set_callbacks(keep, recorder)
    watched.fit(X, TARGETS[task])
    for number, pair in enumerate(zip(epochs, recorder.fitted, strict=False), start=1):
        shorter = small(task, max_iter=number, **settings).fit(X, TARGETS[task])
        for fitted in pair:
            np.testing.assert_array_equal(weights_of(fitted), weights_of(shorter))
            assert fitted.loss_curve_ == shorter.loss_curve_
            assert (fitted.n_iter_, fitted.t_) == (shorter.n_iter_, shorter.t_)
            assert fitted.best_epoch_ == shorter.best_epoch_
            assert fitted.score(X, TARGETS[task]) == shorter.score(X, TARGETS[task])
            assert not hasattr(fitted, "_skl_callbacks")
    last = recorder.fitted[-1]
    np.testing.assert_array_equal(weights_of(last), weights_of(watched))


def test_scoring_monitor_has_the_score_of_every_epoch():
    monitor, scores = callback.ScoringMonitor(scoring="accuracy"), []
    keep = lambda epoch: scores.append(epoch.training_score())
    small().set_callbacks(monitor, keep).fit(X, Y)
    rows = monitor.get_logs().data
    assert [row["accuracy"] for row in rows if row["task_name"] == "epoch"] == scores
    assert len(scores) == 4


@pytest.mark.parametrize("task", ["Classifier", "SequenceTagger"])
def test_scorers_see_what_lengths_leave(task):
    dense, lengths = padded(X)
    target = Y
    scoring = "accuracy"
    if task == "SequenceTagger":
        target = np.full(dense.shape[:2], "up", dtype=object)
        for row, tags in zip(target, tags_of(X)):
            row[: len(tags)] = tags
        scoring = token_accuracy_scorer
    logs = []
    for data, labels, options in ((dense, target, {"lengths": lengths}), (X, TARGETS[task], {})):
        monitor = callback.ScoringMonitor(scoring=scoring)
        weights = np.arange(1.0, len(X) + 1)
        small(task).set_callbacks(monitor).fit(data, labels, sample_weight=weights, **options)
        logs.append([row.get("accuracy", row.get("score")) for row in monitor.get_logs().data])
    assert logs[0] == logs[1]
    assert len(logs[0]) == 5


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "end",
    [
        Recorder(ends_after=2),
        lambda epoch: epoch.epoch == 2,
        lambda epoch: np.bool_(epoch.epoch == 2),
    ],
    ids=["of scikit-learn", "function", "numpy"],
)
def test_a_callback_ends_the_training(solver, end):
    recorder = Recorder()
    ended = small(solver=solver).set_callbacks(end, recorder).fit(X, Y)
    assert len(ended.loss_curve_) == ended.n_iter_ == 2
    assert recorder.seen == hooks(2)


def test_what_a_function_returns_by_the_way_ends_nothing():
    assert small().set_callbacks(lambda epoch: 1).fit(X, Y).n_iter_ == 4
    assert small().set_callbacks(lambda epoch: "yes").fit(X, Y).n_iter_ == 4


def test_an_end_by_a_callback_keeps_the_best_weights_of_validation():
    epochs = []

    def end_after_two_worse(epoch):
        epochs.append((epoch.is_best, epoch.weights()["head.bias"]))
        return epoch.epoch >= 3 and not epoch.is_best

    ended = small(max_iter=200, learning_rate_init=0.3, learning_rate="constant", monitor="loss")
    ended.set_callbacks(end_after_two_worse).fit(X, Y, validation_data=(ragged(9, seed=1), Y[:9]))
    assert ended.n_iter_ == len(epochs) < 200
    best = [number for number, (is_best, _) in enumerate(epochs, start=1) if is_best][-1]
    assert ended.best_epoch_ == best == np.argmin(ended.validation_loss_curve_) + 1
    np.testing.assert_array_equal(ended.weights_["head.bias"], epochs[best - 1][1])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("validates", [False, True])
def test_the_curves_are_what_callbacks_saw(solver, validates):
    logs, best = [], []

    def keep(epoch):
        logs.append(epoch.logs)
        best.append(epoch.is_best)

    settings = dict(solver=solver, early_stopping=validates, max_iter=6)
    watched = small(**settings).set_callbacks(keep).fit(X, Y)
    assert watched.loss_curve_ == [log["loss"] for log in logs]
    assert watched.best_epoch_ == np.flatnonzero(best)[-1] + 1
    assert all(log["seconds"] > 0 and log["learning_rate"] > 0 for log in logs)
    if validates:
        assert watched.validation_loss_curve_ == [log["validation_loss"] for log in logs]
        assert watched.validation_scores_ == [log["validation_score"] for log in logs]
    else:
        assert watched.validation_loss_curve_ is watched.validation_scores_ is None
        assert "validation_loss" not in logs[0]


def test_epochs_are_counted_on():
    epochs, recorder = [], Recorder()
    keep = lambda epoch: epochs.append((epoch.epoch, len(epoch.fitted().loss_curve_)))
    watched = small(warm_start=True, max_iter=2).set_callbacks(keep, recorder)
    watched.fit(X, Y).fit(X, Y).partial_fit(X, Y).partial_fit(X, Y)
    assert epochs == [(number, number) for number in range(1, 7)]
    assert recorder.seen == 2 * hooks(2) + 2 * hooks(1, "partial_fit")
    watched.set_params(warm_start=False).fit(X, Y)
    assert [number for number, _ in epochs[6:]] == [1, 2]


def test_the_best_of_a_warm_start_is_that_of_the_whole_curve():
    best = []
    watched = small(warm_start=True).set_callbacks(lambda epoch: best.append(epoch.is_best))
    watched.fit(X, Y)
    watched.set_params(learning_rate_init=2.0, learning_rate="constant").fit(X, Y)
    assert not any(best[5:])  # the first of them has the loss of the weights before
    assert watched.best_epoch_ == np.flatnonzero(best)[-1] + 1


class Failing(Recorder):
    """Raises in one of its hooks."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def fail(self, here):
        if here == self.where:
            raise OSError(here)

    def setup(self, estimator, context):
        self.fail("setup")

    def teardown(self, estimator, context):
        super().teardown(estimator, context)
        self.fail("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.fail(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.fail(f"end {context.task_name}")

    def on_epoch_end(self, epoch):
        self.fail("epoch")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("fitted_by", [None, "fit", "partial_fit"])
@pytest.mark.parametrize(
    "where", ["setup", "begin task", "begin epoch", "epoch", "end epoch", "end task", "teardown"]
)
def test_a_callback_that_raises_leaves_the_estimator_as_it_was(method, fitted_by, where):
    given = {"classes": np.unique(Y)} if method == "partial_fit" else {}
    watched, twin = small(), small()
    for one in (watched, twin):
        if fitted_by is not None:
            before = {"classes": np.unique(Y)} if fitted_by == "partial_fit" else {}
            getattr(one, fitted_by)(X, Y, **before)
    failing = Failing(where.replace("task", method))
    watched.set_callbacks(failing)
    attributes = dict(vars(watched))
    with pytest.raises(OSError, match=failing.where):
        getattr(watched, method)(X, Y, **given)
    same_attributes(attributes, vars(watched))
    assert failing.seen[-1:] == ["teardown"]
    watched.set_callbacks()
    for one in (watched, twin):  # go on with the same bits
        getattr(one, method)(X, Y, **given)
    np.testing.assert_array_equal(weights_of(watched), weights_of(twin))


def test_a_callback_may_look_at_what_is_fitted_but_not_train_it():
    watched = small()
    with pytest.raises(RuntimeError, match="use a clone"):
        watched.set_callbacks(lambda epoch: epoch.estimator.fit(X, Y)).fit(X, Y)
    seen = []
    watched.set_callbacks(lambda epoch: seen.append(epoch.estimator)).fit(X, Y)
    assert seen == [watched] * 4


def test_an_interrupt_in_a_callback_ends_the_training():
    def interrupt(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    recorder = Recorder()
    with pytest.warns(UserWarning, match="interrupted"):
        ended = small().set_callbacks(interrupt, recorder).fit(X, Y)
    assert len(ended.loss_curve_) == 2
    assert recorder.seen == hooks(2)


def test_a_training_that_is_not_finite_ends_all_its_tasks():
    recorder = Recorder()
    huge = small("SequenceRegressor", learning_rate_init=1e200, clip_norm=None)
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning, match="not finite"):
        huge.set_callbacks(recorder).fit(X, numbers_of(X))
    assert recorder.seen.count("begin epoch") == recorder.seen.count("end epoch")
    assert recorder.seen[-2:] == ["end fit", "teardown"]


@pytest.mark.parametrize(
    "given", [Recorder, 3, "name", None, object()], ids=lambda given: type(given).__name__
)
def test_what_is_no_callback_is_refused(given):
    watched = small().set_callbacks(print)
    before = watched._skl_callbacks
    with pytest.raises(TypeError, match="on_epoch_end"):
        watched.set_callbacks(given)
    assert watched._skl_callbacks is before
    watched.set_callbacks()
    assert not hasattr(watched, "_skl_callbacks")


def test_an_object_with_on_epoch_end_does():
    own = Own()
    small().set_callbacks(own).fit(X, Y)
    assert own.epochs == [1, 2, 3, 4]


def test_copies_have_the_callbacks_and_files_have_not(tmp_path):
    own = Own()
    watched = small().set_callbacks(own).fit(X, Y)
    twin = clone(watched)
    assert twin._skl_callbacks is watched._skl_callbacks
    assert twin.get_params() == watched.get_params()
    twin.fit(X, Y)
    copy.copy(watched).fit(X, Y)
    assert own.epochs == 3 * [1, 2, 3, 4]
    pickled = pickle.loads(pickle.dumps(watched))
    (told,) = pickled._skl_callbacks
    pickled.fit(X, Y)
    assert told.told.epochs == 4 * [1, 2, 3, 4]
    rnnkit.save(watched, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert not hasattr(loaded, "_skl_callbacks")
    np.testing.assert_array_equal(loaded.predict(X), watched.predict(X))


def test_what_is_pickled_while_it_is_fitted_knows_nothing_of_that_fit():
    pickled = []
    keep = lambda epoch: pickled.append(epoch.estimator.__getstate__())
    small().set_callbacks(keep).fit(X, Y)
    assert all(
        set(state) == {*small().get_params(), "_skl_callbacks", "_rnnkit_version"}
        for state in pickled
    )


def test_functions_reach_the_workers_of_a_search(tmp_path):
    def note(epoch):
        (tmp_path / f"{epoch.task} {epoch.epoch}").touch()

    GridSearchCV(small().set_callbacks(note), {"alpha": [0.0, 1.0]}, cv=2, n_jobs=2).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 5 * 4


@pytest.mark.parametrize("watched", [False, True])
def test_features_of_a_frozen_estimator(watched):
    fitted = small().fit(X, Y)
    before = dict(vars(fitted))
    features = rnnkit.RecurrentFeatures(FrozenEstimator(fitted))
    if watched:
        features.set_callbacks(Spreading())
    features.fit(X, Y)
    same_attributes(before, vars(fitted))
    assert "_parent_callback_ctx" not in vars(features.estimator_)


def test_an_estimator_can_be_saved_in_a_hook_of_scikit_learn(tmp_path):
    class Saving(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            rnnkit.save(fitted_estimator, tmp_path / "model")

    pipeline = make_pipeline(SequenceScaler(StandardScaler()), small().set_callbacks(Saving()))
    pipeline.set_callbacks(Recorder()).fit(X, Y)
    rnnkit.save(pipeline, tmp_path / "pipeline")
    fitted = rnnkit.load(tmp_path / "pipeline")
    np.testing.assert_array_equal(fitted.predict(X), pipeline.predict(X))
    saved = rnnkit.load(tmp_path / "model")
    np.testing.assert_array_equal(weights_of(saved), weights_of(pipeline[-1]))


def test_the_progress_of_a_search_is_nested(capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(SequenceScaler(StandardScaler()), small())
    search = GridSearchCV(pipeline, {f"{small().__class__.__name__.lower()}__alpha": [0.0, 1.0]})
    search.set_params(cv=2).set_callbacks(callback.ProgressBar(max_propagation_depth=None))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of steps that know no callbacks
        search.fit(X, Y)
    text = capsys.readouterr().out
    assert text.count("RNNClassifier - fit") == text.count("SequenceScaler - fit") == 5
    assert "GridSearchCV - fit" in text
    assert "Pipeline - fit" in text
    assert not hasattr(search.best_estimator_[-1], "_skl_callbacks")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_has_the_scores_of_every_epoch_of_every_fit(n_jobs):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    inner = small().set_callbacks(monitor, Own())
    search = GridSearchCV(inner, {"hidden_size": [2, 3]}, cv=2, n_jobs=n_jobs).fit(X, Y)
    rows = monitor.get_logs().data
    assert sum(row["task_name"] == "epoch" for row in rows) == (2 * 2 + 1) * 4
    assert len({row["task_id_path"] for row in rows}) == len(rows)
    assert search.best_estimator_.n_iter_ == 4


def test_places_of_fits_in_a_search_differ():
    places = []
    inner = small(max_iter=1).set_callbacks(lambda epoch: places.append(epoch.task))
    GridSearchCV(inner, {"hidden_size": [2, 3]}, cv=2).fit(X, Y)
    inner.fit(X, Y)
    assert places == ["0-0-0", "0-0-1", "0-0-2", "0-0-3", "0-1", "0"]


def test_what_looks_at_epochs_is_refused_where_there_are_none():
    class Looking(EpochCallback):
        def __repr__(self):
            return "Looking()"

    pipeline = make_pipeline(SequenceScaler(StandardScaler()), small())
    for outer in (
        pipeline.set_callbacks(Looking()),
        rnnkit.RecurrentFeatures(small()).set_callbacks(Looking()),
    ):
        with pytest.raises(TypeError, match=r"Looking\(\) looks at epochs, and .* has none"):
            outer.fit(X, Y)
    with pytest.raises(NotImplementedError, match="Looking has no on_epoch_end"):
        small().set_callbacks(Looking()).fit(X, Y)


class Spreading(Recorder):
    """A recorder that scikit-learn hands on to the estimators inside."""

    max_propagation_depth = None


@pytest.mark.parametrize("around", ["features", "target"])
def test_estimators_around_another_hand_callbacks_on(around):
    recorder, own = Spreading(), Own()
    inner = small("SequenceRegressor").set_callbacks(own)
    if around == "features":
        outer, fitted = rnnkit.RecurrentFeatures(inner), "estimator_"
    else:
        outer = rnnkit.TransformedTargetSequenceRegressor(
            inner, transformer=FunctionTransformer(np.sinh, np.arcsinh)
        )
        fitted = "regressor_"
    outer.set_callbacks(recorder).fit(X, numbers_of(X))
    assert own.epochs == [1, 2, 3, 4]
    inside = ["begin fit", *["begin epoch", "end epoch"] * 4, "end fit"]
    assert recorder.seen == ["setup", "begin fit", *inside, "end fit", "teardown"]
    assert not vars(outer).keys() & {"_callback_fit_ctx", "_parent_callback_ctx"}
    assert not hasattr(getattr(outer, fitted), "_parent_callback_ctx")
    plain = clone(outer).set_callbacks().fit(X, numbers_of(X))
    np.testing.assert_array_equal(
        weights_of(getattr(plain, fitted)), weights_of(getattr(outer, fitted))
    )


def test_nothing_is_made_for_nobody(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("nobody watches")

    monkeypatch.setattr("rnnkit.training.watch.Epoch", refuse)
    monkeypatch.setattr(callback.CallbackContext, "_from_estimator", refuse)
    small().fit(X, Y).partial_fit(X, Y)


def test_verbose_1_and_2(capsys):
    small(verbose=1, early_stopping=True).fit(X, Y)
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for number, line in enumerate(lines, start=1):
        assert line.startswith(f"Iteration {number}, loss = ")
        for what in ("validation loss = ", "validation score = ", "learning rate = ", " s"):
            assert what in line
        assert ", score = " not in line
    assert "4 iterations in" in last
    assert "best: iteration" in last
    assert "validation loss = " in last
    watched = small(verbose=2).fit(X, Y)
    first, *lines, last = capsys.readouterr().out.splitlines()
    n_weights = weights_of(watched).size
    assert f"{n_weights} weights, 30 sequences, 1 minibatches" in first
    assert len(lines) == 4
    assert f"score = {accuracy_score(Y, watched.predict(X)):.6f}" in lines[-1]
    assert lines[-1].endswith(", best so far")
    assert f"best: iteration {watched.best_epoch_}, loss = {watched.best_loss_:.8f}" in last
    watched.partial_fit(X, Y)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Iteration 5, loss")


FALLBACK = """
import sys
import sklearn.model_selection, sklearn.pipeline
sys.modules["sklearn.callback"] = None
import numpy as np, rnnkit
from sklearn.base import clone
from rnnkit.callbacks import TimeLimit
X = np.random.RandomState(0).randn(20, 5, 2)
y = X[:, -1, 0] > 0
epochs = []
model = rnnkit.GRUClassifier(3, max_iter=4, learning_rate="linear", random_state=0)
plain = clone(model).fit(X, y)
model.set_callbacks(lambda epoch: epochs.append(epoch.fitted().loss_curve_), TimeLimit(60))
clone(model).fit(X, y)
assert epochs[-1] == plain.loss_curve_ and len(epochs) == 4
model.set_callbacks(lambda epoch: epoch.epoch == 2)
assert model.fit(X, y).n_iter_ == 2
assert rnnkit.RecurrentFeatures(model).fit_transform(X, y).shape == (20, 3)
left = vars(model).keys() - vars(plain).keys()
assert left == {"_skl_callbacks"}, left
try:
    model.set_callbacks(3)
except TypeError as error:
    print(error)
"""


def test_without_scikit_learns_callbacks_rnnkits_own_work():
    run = subprocess.run(
        [sys.executable, "-P", "-c", FALLBACK], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "on_epoch_end" in run.stdout
