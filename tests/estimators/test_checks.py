"""scikit-learn's own checks, all of them, with none expected to fail."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import rnnkit

# Few epochs: sample weights are checked to 1e-7, and training amplifies rounding.
SETTINGS = {
    "Classifier": dict(hidden_size=16, learning_rate_init=0.01, max_iter=40),
    "Regressor": dict(hidden_size=32, learning_rate_init=0.01, max_iter=60),
}
CHECKED = [
    getattr(rnnkit, f"{cell}{task}")(**settings)
    for task, settings in SETTINGS.items()
    for cell in ("RNN", "LSTM", "GRU")
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_all_checks_with_array_api_dispatch():
    """SCIPY_ARRAY_API has to be set before SciPy is loaded, hence the process of its own."""
    code = f"""
import warnings
import rnnkit
from sklearn.utils.estimator_checks import check_estimator
warnings.simplefilter("ignore")
for task, settings in {SETTINGS!r}.items():
    for cell in ("RNN", "LSTM", "GRU"):
        estimator = getattr(rnnkit, cell + task)(**settings)
        for result in check_estimator(estimator, on_skip=None, on_fail=None):
            if result["status"] not in ("passed", "skipped"):
                print(cell, task, result["check_name"], result["exception"])
        print("checked")
"""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n") == [*["checked"] * 6, ""]
