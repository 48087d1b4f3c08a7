"""An installed rnnkit from outside: does it fit, keep limits, and fork beside scikit-learn?

    python -P tests/packaging/installed.py

What a wheel's test runs: it needs nothing but what rnnkit itself asks for.
"""

import importlib.metadata
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

import rnnkit
from rnnkit._core.threads import limits_from, max_threads, workers


def data():
    rng = np.random.RandomState(0)
    return rng.normal(size=(64, 30, 3)).astype(np.float32), np.arange(64) % 2


def fit():
    """Enough work to wake the pool where there are processors for one."""
    X, y = data()
    return rnnkit.LSTMClassifier(48, max_iter=3, random_state=0).fit(X, y)


def weights_of(model):
    return b"".join(weight.tobytes() for weight in model.weights_.values())


def openmp_libraries():
    return [pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "openmp"]


def check_short_form():
    """README's first lines."""
    X = [[0.1, 0.4, 0.2], [0.9, 0.7], [0.2, 0.1, 0.3, 0.2], [0.8, 0.9, 0.7]]
    y = ["low", "high", "low", "high"]
    model = rnnkit.LSTMClassifier(16, learning_rate_init=0.02, random_state=0).fit(X, y)
    assert list(model.predict([[0.85, 0.8, 0.9, 0.7]])) == ["high"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.safetensors")
        rnnkit.save(model, file)
        assert list(rnnkit.load(file).predict(X)) == y


def check_no_runtime_of_our_own():
    """No file of the distribution is an OpenMP runtime, and none that is loaded lies in it."""
    package = Path(rnnkit.__file__).parent
    for file in importlib.metadata.files("rnnkit") or []:
        assert not re.match(r"lib(g|i)?omp", file.name), file
    for library in openmp_libraries():
        assert package not in Path(library).parents, library
        assert "rnnkit.libs" not in library, library


def check_limits():
    """What is set on scikit-learn's runtime counts here, and in joblib's workers."""
    if not limits_from():
        print("scikit-learn has no OpenMP here: limits are OMP_NUM_THREADS's")
        return
    with threadpool_limits(1):
        assert max_threads() == 1
    with threadpool_limits(1, user_api="openmp"):
        assert max_threads() == 1
    with parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        assert Parallel()(delayed(max_threads)() for _ in range(2)) == [1, 1]


def check_neighbours_and_forks():
    """Regions of scikit-learn's before and after ours; a child of both computes the same bits."""
    X, y = data()
    flat = X.reshape(len(X), -1)
    before = weights_of(fit())
    KMeans(3, n_init=1, random_state=0).fit(flat)
    HistGradientBoostingClassifier(max_iter=3).fit(flat, y)
    assert weights_of(fit()) == before
    child = os.fork()
    if child == 0:
        same = weights_of(fit()) == before and weights_of(fit()) == before
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


if __name__ == "__main__":
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ConvergenceWarning)  # three epochs
    check_short_form()
    check_no_runtime_of_our_own()
    check_limits()
    check_neighbours_and_forks()
    print(
        f"rnnkit {rnnkit.__version__} from {Path(rnnkit.__file__).parent} on Python "
        f"{sys.version.split()[0]}: fits, keeps limits, forks; {max_threads()} threads, "
        f"{workers()} started, limits from {Path(limits_from()).name or 'OMP_NUM_THREADS'}"
    )
