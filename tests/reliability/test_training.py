"""Faults 64 to 70: numbers that run away, and interruptions."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from reliability.faults import LABELS, NUMBERS, Faults, X, same_bits, small
from sklearn.exceptions import ConvergenceWarning

fault = Faults()


@fault(64, "the loss becomes infinite or NaN in a training")
def _():
    for kind in ("LSTMRegressor", "GRURegressor", "RNNRegressor"):
        options = {
            "learning_rate_init": 1e30,
            "clip_norm": None,
            "solver": "sgd",
            "activation": "relu",
        }
        model = small(kind, max_iter=30, **options)
        with pytest.warns(ConvergenceWarning, match="finite|epoch"):
            model.fit(X.astype(np.float32), NUMBERS)
        assert all(np.isfinite(weight).all() for weight in model.weights_.values())
        assert np.isfinite(model.predict(X.astype(np.float32))).all()


@fault(65, "gradients explode under clipping")
def _():
    for kind in ("LSTMRegressor", "GRURegressor", "RNNRegressor"):
        for scale in (1e15, 1e100, 1e300):
            for clip in ({"clip_norm": 1.0}, {"clip_norm": 1e-3, "clip_value": 1e-3}):
                model = small(kind, max_iter=20, learning_rate_init=10.0, **clip)
                model.fit(X * scale, NUMBERS * scale)
                assert all(np.isfinite(weight).all() for weight in model.weights_.values())


@fault(66, "gates are saturated by huge numbers")
def _():
    for kind in ("LSTMClassifier", "GRUClassifier", "RNNClassifier"):
        for dtype in (np.float32, np.float64):
            for sign in (1, -1):
                huge = np.full(X.shape, sign * 1e30, dtype)
                with warnings.catch_warnings():
                    warnings.simplefilter("error", RuntimeWarning)
                    model = small(kind).fit(X.astype(dtype), LABELS)
                    assert np.isfinite(model.predict_proba(huge)).all()
                    assert np.isfinite(model.hidden_states(huge)).all()


@fault(67, "numbers are denormal")
def _():
    model = small("LSTMSequenceRegressor", hidden_size=32, max_iter=1)
    model.fit(np.ones((2, 3, 8)), np.ones((2, 3)))
    best = {1.0: np.inf, 1e-310: np.inf}
    for _ in range(40):
        for scale in best:
            data = np.full((64, 50, 8), scale)
            begin = time.perf_counter()
            model.predict(data)
            best[scale] = min(best[scale], time.perf_counter() - begin)
    assert best[1e-310] < 2 * best[1.0]  # a hundred times without care


@fault(68, "the caller's floating-point mode is changed")
def _():
    tiny = np.array([5e-324, 1e-310])
    for call in (
        lambda: small().fit(X, LABELS),
        lambda: small().fit(X, LABELS).predict_proba(X),
        lambda: small("GRUClassifier", dropout=0.5, n_layers=2).fit(X, LABELS),
    ):
        before = (tiny * 1.0).tobytes(), (tiny + tiny).tobytes(), 0.1 + 0.2
        call()
        assert ((tiny * 1.0).tobytes(), (tiny + tiny).tobytes(), 0.1 + 0.2) == before
        assert (tiny * 1.0 > 0).all()


def interrupt_after(seconds, call):
    """Interrupt a call by SIGINT; return what it did and how long it took to answer."""
    sent = []

    def send():
        time.sleep(seconds)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        result = call()
    except KeyboardInterrupt:
        result = KeyboardInterrupt
    answered = time.perf_counter()
    thread.join()
    return result, answered - sent[0] if sent else 0.0


LARGE = np.zeros((2000, 100, 8))


@fault(69, "Ctrl-C in a fit")
def _():
    for kind in ("LSTMClassifier", "GRUClassifier"):
        model = small(kind, hidden_size=32, batch_size=64, max_iter=1000)
        threads = threading.active_count()
        result, seconds = interrupt_after(1.0, lambda m=model: m.fit(LARGE, np.arange(2000) % 2))
        assert seconds < 5.0, seconds  # half a second on an idle machine
        assert threading.active_count() == threads
        if result is KeyboardInterrupt:
            assert not hasattr(model, "network_")
        else:
            assert all(np.isfinite(weight).all() for weight in model.weights_.values())
        model.set_params(max_iter=1, hidden_size=4).fit(X, LABELS).predict(X)


@fault(70, "Ctrl-C in predict while another thread fits")
def _():
    model = small(hidden_size=32).fit(LARGE[:4], [0, 1, 0, 1])
    expected = small(max_iter=50).fit(X, LABELS).predict_proba(X)
    found = []
    other = threading.Thread(
        target=lambda: found.append(small(max_iter=50).fit(X, LABELS).predict_proba(X))
    )
    other.start()
    result, seconds = interrupt_after(0.3, lambda: [model.predict(LARGE) for _ in range(200)])
    other.join()
    assert result is KeyboardInterrupt
    assert seconds < 5.0, seconds
    same_bits(found[0], expected)
    model.predict(X[:, :, :1].repeat(8, axis=2))


test_fault = fault.test()
