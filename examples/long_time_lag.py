"""A time lag of over 1,000 steps: an LSTM with chrono biases learns it, an Elman network fails.

The first step shows one of two symbols, 1,000 to 1,100 steps of noise follow, and the class
is the symbol. The chrono biases (Tallec & Ollivier 2018) open the forget gates for as long as
the training sequences are; with the usual forget bias of 1 the symbol's trace, and with it the
gradient, is gone long before the end.
"""

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import LSTMClassifier, RNNClassifier

LAG = 1000


def sequences_with_lag(n_sequences, rng):
    """Two features that mark the symbol at the first step, then noise in a third."""
    y = rng.integers(0, 2, n_sequences)
    X = []
    for symbol in y:
        sequence = np.zeros((1 + LAG + rng.integers(0, 101), 3), dtype=np.float32)
        sequence[0, symbol] = 1
        sequence[1:, 2] = 0.5 * rng.normal(size=len(sequence) - 1)
        X.append(sequence)
    return X, y


def main():
    # Every network gets the same number of epochs.
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    X_train, y_train = sequences_with_lag(200, rng)
    X_test, y_test = sequences_with_lag(200, rng)
    training = {
        "hidden_size": 16,
        "learning_rate_init": 1e-2,
        "batch_size": 10,
        "max_iter": 30,
        "n_iter_no_change": 30,
        "random_state": 0,
    }
    networks = {
        "LSTM, chrono biases": LSTMClassifier(gate_bias="chrono", **training),
        "LSTM, forget bias 1": LSTMClassifier(**training),
        "RNN": RNNClassifier(**training),
    }
    print(f"{'':20} {'held-out accuracy':>18} {'seconds':>8}")
    for name, network in networks.items():
        start = time.perf_counter()
        network.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        print(f"{name:20} {network.score(X_test, y_test):18.3f} {seconds:8.1f}", flush=True)


if __name__ == "__main__":
    main()
