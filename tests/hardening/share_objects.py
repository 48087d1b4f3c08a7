"""Threads on shared objects, with signals coming in: what is not refused must be right.

Run it in a build with sanitizers, as `.ci/hardening` does: ``python share_objects.py SECONDS``.
"""

import signal
import sys
import threading
import time
import warnings

import numpy as np

import rnnkit
from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.cells import LayerSpec
from rnnkit.functional import RecurrentStream, recurrent
from rnnkit.sequences import pack

CPU, FLOAT = get_backend("cpu"), np.dtype(np.float64)
RNG = np.random.default_rng(0)
PATIENCE = 60  # seconds
N_THREADS = 4  # of Python, each of which may use as many of the core


def objects():
    """Return for each kind of shared object calls of it, which give the same every time."""
    spec = LayerSpec("lstm", 6, 40)
    weights = {name: 0.1 * RNG.normal(size=s) for name, s in spec.parameter_shapes().items()}
    layer, dense = CPU.recurrent(spec, FLOAT), CPU.dense(6, 300, FLOAT)
    plans = [pack(np.full(n, 20)) for n in (1, 25)]
    xs = [RNG.normal(size=(plan.n_rows, 6)) for plan in plans]
    matrix, bias = RNG.normal(size=(300, 6)), RNG.normal(size=300)
    given = {"weight_ih_l0": weights["weight_ih"], "weight_hh_l0": weights["weight_hh"]}
    output = recurrent(RNG.normal(size=(25, 20, 6)), given)
    dys = [RNG.normal(size=(25, 20, 40)) for _ in range(2)]
    stream = RecurrentStream(given)
    X, y = RNG.normal(size=(40, 10, 3)), np.arange(40) % 2
    fitted = rnnkit.GRUClassifier(12, max_iter=2, random_state=0).fit(X, y)
    learner = rnnkit.GRUClassifier(12, random_state=0).partial_fit(X, y, classes=[0, 1])

    def feed():
        stream.step(np.ones(6))
        return 0

    def learn():
        learner.partial_fit(X, y)
        return learner.predict(X).shape

    def one_of_its_own():
        mine, dy = CPU.recurrent(spec, FLOAT), RNG.normal(size=(plans[1].n_rows, 40))

        def work():
            gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
            mine.forward(plans[1], xs[1], weights, training=True)
            mine.backward(dy, gradients)
            return gradients["weight_hh"]

        return work

    return {
        "layers apart": [one_of_its_own() for _ in range(N_THREADS)],
        "layer": [lambda i=i: layer.forward(plans[i], xs[i], weights)[1] for i in (0, 1)],
        "dense": [lambda i=i: dense.forward(xs[i], (1 + i) * matrix, bias) for i in (0, 1)],
        "gradients": [lambda i=i: output.backward(dys[i])["weight_hh_l0"] for i in (0, 1)],
        "stream": [feed, feed],
        "predictions": [lambda: fitted.predict_proba(X), lambda: fitted.score(X, y)],
        "training": [learn, lambda: learner.predict_proba(X).shape],
    }


def together(name, calls, seconds):
    """Make the calls from four threads; count what was right and what refused."""
    expected = [call() for call in calls]
    right, refused, wrong = [], [], []

    def work(which):
        now = start = time.monotonic()
        # On a busy machine the time may be over before anybody had a turn.
        while now < start + seconds or (not right and not wrong and now < start + PATIENCE):
            now = time.monotonic()
            try:
                found = calls[which]()
            except RuntimeError as error:
                refused.append(str(error))
                continue
            (right if np.array_equal(found, expected[which]) else wrong).append(which)

    whose = [i % len(calls) for i in range(N_THREADS)]
    threads = [threading.Thread(target=work, args=(which,)) for which in whose]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{name}: {len(right)} right, {len(refused)} refused", flush=True)
    assert not wrong, f"{name}: {len(wrong)} wrong"
    assert right
    assert all("in use" in words for words in refused), set(refused)


def main(seconds):
    """Share every kind of object for a while, a signal coming every few milliseconds."""
    n_signals = []
    kinds = objects()
    signal.signal(signal.SIGALRM, lambda *_: n_signals.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    try:
        for name, calls in kinds.items():
            with using_threads(3):
                together(name, calls, seconds / len(kinds))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert n_signals
    print(f"{len(n_signals)} signals")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(float(sys.argv[1]))
