"""How long after Ctrl-C a call ends: the worst of many, at five shapes and through an estimator.

    python benchmarks/bench_interrupt.py [--times 50]

A thread sends the process SIGINT at a moment drawn from a seed, while calls follow each other; the
figure is the time from the signal to KeyboardInterrupt in the caller's hands.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
import warnings

import numpy as np
from bench_recurrent import OurLayer
from harness import Results

from rnnkit import LSTMClassifier, functional

GOAL_SECONDS = 0.5


def layer(n_sequences, n_steps, n_inputs, hidden_size):
    """Return a bound LSTM layer over a dense batch."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n_sequences, n_steps, n_inputs)).astype(np.float32)
    return OurLayer("lstm", x, hidden_size, np.full(n_sequences, n_steps, np.intp), "cpu")


def calls():
    """Yield the name and the function of each case, one at a time: they are large."""
    yield "one sequence of 1,000,000 steps, H=48, forward", layer(1, 1_000_000, 1, 48).forward
    yield "a wide layer, B=64, H=2048, forward", layer(64, 12, 256, 2048).forward
    yield "backward, B=128, T=200, H=256", layer(128, 200, 64, 256).train
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 1000, 16)).astype(np.float32)
    weights = {
        f"{name}_l0": w for name, w in layer(1, 1, 16, 128).weights.items() if name != "bias"
    }
    yield (
        "functional.recurrent, 400 sequences of 1,000 steps, H=128",
        lambda: functional.recurrent(x, weights, cell="lstm"),
    )
    X = rng.standard_normal((3000, 300, 4)).astype(np.float32)
    model = LSTMClassifier(128, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[:40], np.arange(40) % 3)
    yield "predict of 3,000 sequences of 300 steps, H=128", lambda: model.predict(X)


def seconds_to_leave(call, delay):
    """Repeat a call until Ctrl-C ends it; how long after the signal that was."""
    sent = []

    def send():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(delay, send)
    try:
        timer.start()
        while True:
            call()
    except KeyboardInterrupt:
        return time.perf_counter() - sent[0]


def main():
    """Measure and print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=50)
    options = parser.parse_args()
    # Shells start background jobs deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    draw, results = random.Random(0), Results("interrupt")
    for name, call in calls():
        found = [seconds_to_leave(call, draw.uniform(0.02, 0.6)) for _ in range(options.times)]
        worst = max(found)
        results.write(kind="interrupt", call=name, seconds=found)
        verdict = "met" if worst <= GOAL_SECONDS else "MISSED"
        middle = 1e3 * float(np.median(found))
        print(
            f"{name}: worst of {len(found)} {1e3 * worst:.0f} ms, median {middle:.0f} ms, "
            f"goal {1e3 * GOAL_SECONDS:.0f} ms, {verdict}",
            flush=True,
        )


if __name__ == "__main__":
    main()
