"""Faults 71 to 84: processes, threads, environments and libraries beside ours."""

import itertools
import multiprocessing
import subprocess
import sysconfig
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from reliability.faults import LABELS, TAGS, Faults, X, python, same_bits, small
from sklearn.model_selection import GridSearchCV

fault = Faults()

DATA = """
    import numpy as np, rnnkit, warnings
    X = np.random.RandomState(0).randn(64, 20, 4)
    y = X[:, -1, 0] > 0
    def make(**parameters):
        settings = {"hidden_size": 32, "max_iter": 2, "random_state": 0}
        return rnnkit.LSTMClassifier(**{**settings, **parameters})
"""


def fitted_bits(seed):
    return small(random_state=seed).fit(X, LABELS).predict_proba(X).tobytes()


@fault(71, "a process forks after a fit and its child fits")
def _():
    expected = [fitted_bits(seed) for seed in range(4)]
    begin = time.perf_counter()
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(fitted_bits, range(4), timeout=60)) == expected
    assert time.perf_counter() - begin < 30


@fault(72, "a process forks while another thread fits")
def _():
    python(
        DATA
        + """
    import os, threading, time
    stop = []
    def fit():
        while not stop:
            make().fit(X, y)
    thread = threading.Thread(target=fit)
    thread.start()
    expected = make().fit(X, y).predict_proba(X).tobytes()
    for _ in range(3):
        time.sleep(0.05)
        child = os.fork()
        if child == 0:
            ok = make().fit(X, y).predict_proba(X).tobytes() == expected
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
    stop.append(1)
    thread.join()
    """,
        OMP_NUM_THREADS="2",
    )


@fault(73, "a search runs in processes or threads")
def _():
    from joblib import parallel_backend

    scores = []
    for backend in ("sequential", "threading", "loky"):
        search = GridSearchCV(small(), {"hidden_size": [2, 3]}, n_jobs=2, cv=2)
        with parallel_backend(backend):
            search.fit(X, LABELS)
        scores.append(search.cv_results_["mean_test_score"].tolist())
    assert scores[0] == scores[1] == scores[2]


@fault(74, "the environment asks for one thread, for many, or for no number")
def _():
    code = DATA + "\n    print(make().fit(X, y).predict_proba(X).tobytes().hex())"
    answers = {python(code, OMP_NUM_THREADS=value) for value in ("1", "3", "64", "abc", "")}
    assert len(answers) == 1


@fault(75, "the environment asks for zero, a negative number or a million of threads")
def _():
    code = DATA + "\n    print(make().fit(X, y).predict_proba(X).tobytes().hex())"
    answers = {python(code, OMP_NUM_THREADS=value) for value in ("0", "-5", "1000000", "1")}
    assert len(answers) == 1


@fault(76, "eight threads fit estimators of their own")
def _():
    expected = [fitted_bits(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fitted_bits, range(8))) == expected


@fault(77, "eight threads ask one estimator")
def _():
    model = small("GRUSequenceTagger").fit(X, TAGS)
    expected = model.predict_proba(X).tobytes()
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: model.predict_proba(X).tobytes(), range(64))
        assert set(answers) == {expected}


@fault(78, "two threads fit one estimator")
def _():
    model = small(max_iter=30)
    with ThreadPoolExecutor(2) as pool:
        for outcome in [pool.submit(model.fit, X[:n], LABELS[:n]) for n in (24, 12) * 3]:
            error = outcome.exception()
            assert error is None or isinstance(error, Exception)
    assert model.fit(X, LABELS).predict(X).shape == (24,)
    partial = small().partial_fit(X, LABELS, classes=["down", "up"])
    with ThreadPoolExecutor(2) as pool:
        for outcome in [pool.submit(partial.partial_fit, X, LABELS) for _ in range(20)]:
            error = outcome.exception()
            assert error is None or isinstance(error, Exception)
    assert all(np.isfinite(weight).all() for weight in partial.weights_.values())


@fault(79, "a thread of Python wants to run during a fit")
def _():
    def count(until):
        n = 0
        for n in itertools.count():
            if until():
                return n

    stop, counted = [], []
    data = np.random.RandomState(0).randn(64, 200, 16)
    model = small("LSTMClassifier", hidden_size=64, max_iter=3, batch_size=64)
    thread = threading.Thread(target=lambda: counted.append(count(lambda: bool(stop))))
    begin = time.perf_counter()
    thread.start()
    model.fit(data, data[:, 0, 0] > 0)
    stop.append(1)
    thread.join()
    seconds = time.perf_counter() - begin
    end = time.perf_counter() + seconds
    alone = count(lambda: time.perf_counter() > end)
    assert counted[0] > 0.05 * alone, (counted, alone)  # half, where a core is free for it


@fault(80, "Python runs without its lock")
def _():
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python has a lock")
    assert python("import rnnkit, sys; print(sys._is_gil_enabled())").strip() == "False"


SUBINTERPRETER = """
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        raise SystemExit
    other = interpreters.create()
    code = "try:\\n import MODULE\\nexcept ImportError:\\n pass"
    try:
        interpreters.run_string(other, code)
    except Exception as error:
        print(type(error).__name__)
"""


@fault(81, "a subinterpreter imports the package")
def _():
    try:
        python(SUBINTERPRETER.replace("MODULE", "sklearn.base"), timeout=20)
    except (AssertionError, subprocess.TimeoutExpired):
        pytest.skip("scikit-learn itself cannot be imported in a subinterpreter here")
    python(SUBINTERPRETER.replace("MODULE", "rnnkit"))


@fault(82, "the same seed comes twice, with other numbers of threads")
def _():
    code = (
        DATA
        + """
    for dtype in ("f4", "f8"):
        model = make(hidden_size=70, dropout=0.2).fit(X.astype(dtype), y)
        print(b"".join(w.tobytes() for w in model.weights_.values()).hex())
    """
    )
    answers = {python(code, OMP_NUM_THREADS=n) for n in ("1", "1", "2", "3", "4")}
    assert len(answers) == 1


@fault(83, "sequences are asked about one by one")
def _():
    for kind, y in (("LSTMClassifier", LABELS), ("GRUSequenceTagger", TAGS)):
        model = small(kind).fit(X, y)
        whole = model.predict_proba(X)
        for i in range(len(X)):
            same_bits(model.predict_proba(X[i : i + 1])[0], whole[i])


@fault(84, "other libraries with threads of their own are loaded before or after")
def _():
    pytest.importorskip("torch")
    code = """
    import torch
    torch.ones(100, 100) @ torch.ones(100, 100)
    print(make().fit(X, y).predict_proba(X).tobytes().hex())
    """
    orders = "import torch, rnnkit", "import rnnkit, torch", "import numpy, rnnkit, torch"
    assert len({python(f"\n    {order}" + DATA + code) for order in orders}) == 1


test_fault = fault.test()
