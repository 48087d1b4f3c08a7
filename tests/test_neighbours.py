"""The examples with neighbouring libraries run against these, and say what they found."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnkit import GRUClassifier
from rnnkit.callbacks import OptunaPruning
from rnnkit.exceptions import MissingExtraError

EXAMPLES = Path(__file__).parents[1] / "examples"
X = np.random.RandomState(0).randn(40, 6, 2)
Y = X[:, :, 0].sum(axis=1) > 0


def printed(name):
    command = [sys.executable, "-P", str(EXAMPLES / f"{name}.py")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return run.stdout


def number(pattern, text):
    found = re.search(pattern + r" +(-?[\d.]+)", text)
    assert found, text
    return float(found[1].rstrip("."))


@pytest.mark.slow
def test_halving_by_epochs():
    text = printed("with_halving")
    assert re.findall(r"(\d) settings for (\d+) epochs", text) == [
        ("9", "3"),
        ("3", "9"),
        ("1", "27"),
    ]
    assert number("found", text) > number("logistic regression", text)


@pytest.mark.slow
def test_a_tuned_threshold():
    text = printed("with_threshold")
    plain, network = number("regression +F1", text), number("network +F1", text)
    assert number("threshold +F1", text) > plain
    assert number(r'"balanced" +F1', text) > plain
    assert 0 < number("threshold is", text) < 1
    assert network > plain


@pytest.mark.slow
def test_optuna_prunes():
    pytest.importorskip("optuna", reason="needs the extra optuna")
    text = printed("with_optuna")
    assert number("pruned", text) >= 1
    epochs, of = re.search(r"epochs (\d+) of (\d+)", text).groups()
    assert int(epochs) < int(of)
    assert number("found", text) > number("logistic regression", text)


@pytest.mark.slow
def test_whole_sequences_are_drawn_again():
    pytest.importorskip("imblearn", reason="needs imbalanced-learn")
    text = printed("with_imbalanced_learn")
    scores = dict(re.findall(r"^(.+?) +balanced accuracy ([\d.]+)", text, re.MULTILINE))
    assert len(scores) == 5
    plain = float(scores.pop("logistic regression, balanced"))
    assert float(scores["rare class drawn again"]) > plain
    assert min(map(float, scores.values())) > 0.8


@pytest.mark.slow
def test_skops_files():
    pytest.importorskip("skops", reason="needs skops")
    text = printed("with_skops")
    assert text.count("same True") == 2


@pytest.mark.slow
def test_what_decisions_hang_on():
    pytest.importorskip("shap", reason="needs shap")
    text = printed("with_shap")
    lost = [float(fall) for fall in re.search(r"columns(.*)", text)[1].split()]
    assert lost[0] == lost[-1] == 0  # the margins are empty
    assert max(lost) > 0.1
    assert number("adds up within", text.replace("e-", " ")) < 10


@pytest.mark.slow
def test_speakers_by_aeon():
    pytest.importorskip("aeon", reason="needs the extra aeon")
    text = printed("with_aeon")
    assert number("as by default", text) > 0.9
    assert number("both directions", text) > number("on means", text)


@pytest.mark.slow
def test_passengers_by_sktime():
    pytest.importorskip("sktime", reason="needs the extra sktime")
    text = printed("with_sktime")
    plain = number("a year before +root mean square error", text)
    assert number("recursive +root mean square error", text) < plain
    assert number("closed loop +root mean square error", text) < plain


@pytest.fixture
def optuna():
    optuna = pytest.importorskip("optuna", reason="needs the extra optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def model(**parameters):
    settings = {"max_iter": 4, "early_stopping": True, "random_state": 0, **parameters}
    return GRUClassifier(4, n_iter_no_change=9, learning_rate="constant", **settings)


def never(optuna):
    return optuna.pruners.NopPruner()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("monitor", ["validation_score", "validation_loss", "loss"])
def test_every_epoch_is_reported(optuna, monitor):
    fitted = []

    def objective(trial):
        fitted.append(model().set_callbacks(OptunaPruning(trial, monitor)).fit(X, Y))
        return 0.0

    direction = "maximize" if monitor.endswith("score") else "minimize"
    study = optuna.create_study(direction=direction, pruner=never(optuna))
    study.optimize(objective, n_trials=1)
    curve = {
        "validation_score": fitted[0].validation_scores_,
        "validation_loss": fitted[0].validation_loss_curve_,
        "loss": fitted[0].loss_curve_,
    }[monitor]
    assert study.trials[0].intermediate_values == dict(enumerate(curve, start=1))


def test_a_pruned_trial_has_learnt_nothing(optuna):
    left = []

    def objective(trial):
        left.append(model().set_callbacks(OptunaPruning(trial)))
        return left[-1].fit(X, Y).best_validation_score_

    pruner = optuna.pruners.ThresholdPruner(lower=2.0, n_warmup_steps=2)  # no accuracy is that high
    study = optuna.create_study(direction="maximize", pruner=pruner)
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED"]
    assert [max(trial.intermediate_values) for trial in study.trials] == [2, 2]
    assert not hasattr(left[0], "network_")


@pytest.mark.parametrize(
    "direction, monitor", [("minimize", "validation_score"), ("maximize", "validation_loss")]
)
def test_a_study_that_would_prune_the_best_is_told(optuna, direction, monitor):
    def objective(trial):
        model().set_callbacks(OptunaPruning(trial, monitor)).fit(X, Y)

    study = optuna.create_study(direction=direction)
    with pytest.raises(ValueError, match=f"would prune the best trials: .* {direction}, {monitor}"):
        study.optimize(objective, n_trials=1)


def test_a_fit_without_validation_is_told(optuna):
    trial = optuna.trial.FixedTrial({})
    watched = model(early_stopping=False).set_callbacks(OptunaPruning(trial))
    with pytest.raises(ValueError, match="finds no validation_score in this fit; set early_stop"):
        watched.fit(X, Y)
    with pytest.raises(ValueError, match=r"monitor must be one of .* got 'accuracy'"):
        OptunaPruning(trial, "accuracy")


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"OptunaPruning needs.*rnnkit\[optuna\]"):
        OptunaPruning(object())


@pytest.mark.slow
def test_one_model_on_several_workers():
    pytest.importorskip("distributed")
    pytest.importorskip("xgboost")
    text = printed("with_dask")
    assert "trained on 400 sequences of 4 partitions" in text
    assert number("accuracy of 200 others", text) > 0.85
    assert "searched 2 sizes" in text
