"""Truncated backpropagation through time: what the window `bptt_steps` gives and takes.

The task is an echo: y(t) = x(t - 10) on sequences of 1,000 steps. The hidden state is carried
over the cut between two windows, the gradient is not. So a window shorter than the delay
learns little, and a longer one learns it with many more updates per epoch than whole
sequences allow.
"""

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import LSTMSequenceRegressor

DELAY, N_STEPS = 10, 1000
WINDOWS = [5, 25, 100, None]


def echo(n_sequences, rng):
    """Independent numbers in, the same numbers `DELAY` steps later out, zeros before."""
    X = rng.normal(size=(n_sequences, N_STEPS, 1)).astype(np.float32)
    y = np.zeros((n_sequences, N_STEPS), dtype=np.float32)
    y[:, DELAY:] = X[:, :-DELAY, 0]
    return X, y


def main():
    # Every network gets the same number of epochs.
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    X_train, y_train = echo(20, rng)
    X_test, y_test = echo(20, rng)
    print("window   updates per epoch   seconds   held-out R²")
    for window in WINDOWS:
        model = LSTMSequenceRegressor(
            hidden_size=32,
            bptt_steps=window,
            learning_rate_init=1e-2,
            max_iter=30,
            n_iter_no_change=30,
            random_state=0,
        )
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        updates = 1 if window is None else N_STEPS // window
        score = model.score(X_test, y_test)
        print(f"{window or 'none':>6} {updates:19d} {seconds:9.1f} {score:13.3f}", flush=True)


if __name__ == "__main__":
    main()
