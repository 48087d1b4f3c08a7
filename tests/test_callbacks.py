"""rnnkit.callbacks: what is kept and written of every epoch, and when time is over."""

import csv
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, ragged
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import rnnkit
from rnnkit.callbacks import Checkpoint, CSVLogger, TensorBoardLogger, TimeLimit
from rnnkit.exceptions import MissingExtraError
from rnnkit.training import Epoch

X = ragged(30)
Y = labels_of(X)


def small(**parameters):
    settings = {"hidden_size": 3, "max_iter": 4, **parameters}
    return estimator("GRU", "Classifier", **settings)


def overfitting(**parameters):
    """Labels of pure chance: validation is best long before the end."""
    settings = {"max_iter": 25, "learning_rate": "constant", "n_iter_no_change": 30, **parameters}
    return small(early_stopping=True, **settings)


CHANCE = np.random.RandomState(1).randint(2, size=len(X))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("monitor", ["loss", "score"])
def test_a_checkpoint_holds_the_best_epoch(solver, monitor, tmp_path):
    path = tmp_path / "best.safetensors"
    model = overfitting(solver=solver, monitor=monitor).set_callbacks(Checkpoint(path))
    model.fit(X, CHANCE)
    best = rnnkit.load(path)
    assert 1 <= len(best.loss_curve_) == model.best_epoch_ < len(model.loss_curve_)
    np.testing.assert_array_equal(best.predict_proba(X), model.predict_proba(X))
    assert best.validation_scores_ == model.validation_scores_[: model.best_epoch_]


def test_a_checkpoint_of_the_training_loss(tmp_path):
    model = small(learning_rate_init=0.5, learning_rate="constant", max_iter=12)
    model.set_callbacks(Checkpoint(tmp_path / "best")).fit(X, Y)
    assert len(rnnkit.load(tmp_path / "best").loss_curve_) == model.best_epoch_


def test_a_checkpoint_of_every_epoch(tmp_path):
    path = str(tmp_path / "epoch {epoch} of {task} {other}")
    small(learning_rate="constant").set_callbacks(Checkpoint(path, best_only=False)).fit(X, Y)
    for number in range(1, 5):
        kept = rnnkit.load(tmp_path / f"epoch {number} of 0 {{other}}")
        fitted = small(learning_rate="constant", max_iter=number).fit(X, Y)
        np.testing.assert_array_equal(kept.predict_proba(X), fitted.predict_proba(X))


def test_a_checkpoint_stays_when_the_training_is_cut_off(tmp_path):
    def fail(epoch):
        if epoch.epoch == 3:
            raise OSError("cut off")

    model = small().set_callbacks(Checkpoint(tmp_path / "best"), fail)
    with pytest.raises(OSError, match="cut off"):
        model.fit(X, Y)
    assert not hasattr(model, "network_")
    assert len(rnnkit.load(tmp_path / "best").loss_curve_) == 3


def test_a_checkpoint_that_cannot_be_written(tmp_path):
    model = small().set_callbacks(Checkpoint(tmp_path / "nowhere" / "best"))
    with pytest.raises(FileNotFoundError):
        model.fit(X, Y)
    assert not hasattr(model, "network_")
    with pytest.raises(TypeError):
        Checkpoint(3)


def test_the_fits_of_a_search_have_files_of_their_own(tmp_path):
    model = small().set_callbacks(
        Checkpoint(tmp_path / "{task}"), CSVLogger(tmp_path / "{task}.csv")
    )
    search = GridSearchCV(model, {"hidden_size": [2, 3]}, cv=2, n_jobs=2).fit(X, Y)
    names = {"0-0-0", "0-0-1", "0-0-2", "0-0-3", "0-1"}
    assert {path.name for path in tmp_path.iterdir()} == names | {f"{name}.csv" for name in names}
    best = rnnkit.load(tmp_path / "0-1")
    assert best.hidden_size == search.best_params_["hidden_size"]


def test_a_time_limit_ends_with_the_epoch_that_is_later():
    def epoch_after(seconds):
        epoch = Epoch(1, {}, None)
        epoch.elapsed = seconds
        return epoch

    limit = TimeLimit(2.5)
    assert [limit.on_epoch_end(epoch_after(s)) for s in (2.4, 2.5, 3.0)] == [False, True, True]
    assert small().set_callbacks(TimeLimit(1e-9)).fit(X, Y).n_iter_ == 1
    assert small().set_callbacks(TimeLimit(1000)).fit(X, Y).n_iter_ == 4


def test_a_time_limit_counts_every_fit_anew():
    elapsed = []
    model = small().set_callbacks(lambda epoch: elapsed.append(epoch.elapsed))
    model.fit(X, Y).fit(X, Y)
    assert elapsed[:4] == sorted(elapsed[:4])
    assert elapsed[4] < sum(elapsed[:4])
    assert all(seconds > 0 for seconds in elapsed)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "60", None, True])
def test_a_time_limit_is_a_number_above_0(seconds):
    with pytest.raises(ValueError, match="seconds must be a number above 0, got"):
        TimeLimit(seconds)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_log_has_a_line_per_epoch(tmp_path):
    path = tmp_path / "log.csv"
    model = overfitting(max_iter=3).set_callbacks(CSVLogger(path, training_score=True))
    model.fit(X, Y)
    rows = rows_of(path)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["loss"]) for row in rows] == model.loss_curve_
    assert [float(row["validation_loss"]) for row in rows] == model.validation_loss_curve_
    assert [float(row["validation_score"]) for row in rows] == model.validation_scores_
    assert all(0 <= float(row["score"]) <= 1 for row in rows)
    assert all(float(row["learning_rate"]) == 0.05 and float(row["seconds"]) > 0 for row in rows)


def test_a_log_goes_on_or_begins_anew_with_the_curve(tmp_path):
    path = tmp_path / "log.csv"
    model = small(max_iter=2, warm_start=True).set_callbacks(CSVLogger(path))
    model.fit(X, Y).fit(X, Y).partial_fit(X, Y)
    assert [float(row["loss"]) for row in rows_of(path)] == model.loss_curve_
    assert (
        {row["validation_loss"] for row in rows_of(path)}
        == {row["score"] for row in rows_of(path)}
        == {""}
    )
    clone(model).fit(X, Y)
    assert len(rows_of(path)) == 2


class Writer:
    """Stands in for tensorboardX: notes what is written."""

    made = []

    def __init__(self, folder):
        self.folder, self.scalars, self.closed = folder, [], False
        self.made.append(self)

    def add_scalar(self, name, figure, step):
        self.scalars.append((name, figure, step))

    def flush(self):
        pass

    def close(self):
        self.closed = True


def test_tensorboard_gets_the_curves(monkeypatch, tmp_path):
    monkeypatch.setattr("rnnkit.callbacks._summary_writer", lambda: Writer)
    monkeypatch.setattr(Writer, "made", [])
    logger = TensorBoardLogger(tmp_path / "{task}", training_score=True)
    model = overfitting(max_iter=3).set_callbacks(logger).fit(X, Y)
    (writer,) = Writer.made
    assert writer.closed
    assert writer.folder == str(tmp_path / "0")
    for name, curve in (
        ("loss", model.loss_curve_),
        ("validation_loss", model.validation_loss_curve_),
        ("validation_score", model.validation_scores_),
    ):
        expected = [(name, value, step) for step, value in enumerate(curve, start=1)]
        assert [scalar for scalar in writer.scalars if scalar[0] == name] == expected
    names = {scalar[0] for scalar in writer.scalars}
    assert names >= {"score", "learning_rate", "seconds"}
    with pytest.raises(FileNotFoundError):
        model.set_callbacks(logger, lambda epoch: os.stat("")).fit(X, Y)
    assert Writer.made[1].closed
    assert pickle.loads(pickle.dumps(logger)).folder == logger.folder


def test_tensorboardx_reads_back_what_was_written(tmp_path):
    pytest.importorskip("tensorboardX")
    model = small().set_callbacks(TensorBoardLogger(tmp_path)).fit(X, Y)
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("events.out.tfevents")
    from tensorboardX.event_file_writer import EventsWriter  # noqa: F401
    from tensorboardX.proto.event_pb2 import Event

    content, losses = file.read_bytes(), []
    while content:  # a record is its length, a checksum, an event and a checksum
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        losses += [v.simple_value for v in event.summary.value if v.tag == "loss"]
        content = content[16 + length :]
    np.testing.assert_allclose(losses, model.loss_curve_, rtol=1e-6)


def test_tensorboard_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"TensorBoardLogger needs.*rnnkit\[tensorboard\]"):
        TensorBoardLogger("logs")


def test_callbacks_say_what_they_are():
    assert repr(TimeLimit(60)) == "TimeLimit(60)"
    assert repr(Checkpoint("a")) == "Checkpoint('a')"
    assert repr(CSVLogger("a")) == "CSVLogger('a')"


def test_all_of_them_at_once_change_no_bit(tmp_path):
    plain = overfitting(max_iter=5).fit(X, Y)
    watched = clone(plain).set_callbacks(
        Checkpoint(tmp_path / "best"), TimeLimit(1000), CSVLogger(tmp_path / "log")
    )
    watched.fit(X, Y)
    np.testing.assert_array_equal(watched.predict_proba(X), plain.predict_proba(X))
    assert watched.loss_curve_ == plain.loss_curve_


def test_nothing_optional_is_loaded():
    code = "import sys, rnnkit.callbacks; print('tensorboardX' in sys.modules)"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr
