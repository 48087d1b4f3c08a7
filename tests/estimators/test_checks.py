"""scikit-learn's own checks, all of them, with none expected to fail."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import rnnkit

CHECKED = [
    getattr(rnnkit, f"{cell}{task}")(hidden_size=16, learning_rate_init=0.02, max_iter=100)
    for task in ("Classifier", "Regressor")
    for cell in ("RNN", "LSTM", "GRU")
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_all_checks_with_array_api_dispatch():
    """SCIPY_ARRAY_API has to be set before SciPy is loaded, hence the process of its own."""
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import rnnkit\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "for cls in (rnnkit.LSTMClassifier, rnnkit.GRURegressor):\n"
        "    estimator = cls(hidden_size=16, learning_rate_init=0.02, max_iter=100)\n"
        "    results = check_estimator(estimator, on_skip=None, on_fail='raise')\n"
        "    print(len(results), {result['status'] for result in results})\n"
    )
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 2
    assert "failed" not in run.stdout
