"""Optuna searches, and ends hopeless trainings after a few epochs.

The digits of scikit-learn, read row by row. Every epoch of a trial is reported; the study prunes
what lies below the median of the trials before it. Needs ``pip install "rnnkit[optuna]"``.
"""

import warnings

import optuna
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from rnnkit import LSTMClassifier
from rnnkit.callbacks import OptunaPruning

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
X_fit, X_val, y_fit, y_val = train_test_split(X, y, random_state=0, stratify=y)
EPOCHS, TRIALS = 30, 12


def network(**parameters):
    return LSTMClassifier(step_features=8, max_iter=EPOCHS, random_state=0, **parameters)


def objective(trial):
    model = network(
        hidden_size=trial.suggest_int("hidden_size", 8, 64, log=True),
        learning_rate_init=trial.suggest_float("learning_rate_init", 1e-4, 3e-2, log=True),
        bidirectional=trial.suggest_categorical("bidirectional", [False, True]),
    )
    model.set_callbacks(OptunaPruning(trial)).fit(X_fit, y_fit, X_val=X_val, y_val=y_val)
    return model.best_validation_score_


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs are the point
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=3),
    )
    study.optimize(objective, n_trials=TRIALS)
    epochs = sum(len(trial.intermediate_values) for trial in study.trials)
    pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)
    print(f"trials {TRIALS}, pruned {pruned}; epochs {epochs} of {TRIALS * EPOCHS}")
    print(f"best {study.best_params}")
    plain = LogisticRegression(max_iter=1000).fit(X, y).score(X_test, y_test)
    default = LSTMClassifier(step_features=8, random_state=0).fit(X, y).score(X_test, y_test)
    found = network(**study.best_params).fit(X, y).score(X_test, y_test)
    print(f"accuracy: logistic regression {plain:.3f}, as by default {default:.3f}, ", end="")
    print(f"found {found:.3f}")


if __name__ == "__main__":
    main()
