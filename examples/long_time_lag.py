"""A time lag of over 1,000 steps: an LSTM with chrono biases learns it from every start.

The first step shows one of two symbols, 1,000 to 1,100 steps of noise follow, and the class
is the symbol. The chrono biases (Tallec & Ollivier 2018) open the forget gates for as long as
the training sequences are; with the usual forget bias of 1 the symbol's trace, and with it the
gradient, is gone long before the end. An Elman network starts from an orthogonal matrix, which
keeps lengths, and learns the lag where its first weights happen to suit it: seldom.
"""

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit import LSTMClassifier, RNNClassifier

LAG = 1000
N_STARTS = 5


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
    training = {
        "hidden_size": 16,
        "learning_rate_init": 1e-2,
        "batch_size": 10,
        "max_iter": 30,
        "n_iter_no_change": 30,
    }
    networks = {
        "LSTM, chrono biases": LSTMClassifier(gate_bias="chrono", **training),
        "LSTM, forget bias 1": LSTMClassifier(**training),
        "RNN": RNNClassifier(**training),
    }
    print(f"{'':20} {'learnt':>8} {'seconds':>8}  held-out accuracy from each start")
    for name, network in networks.items():
        start = time.perf_counter()
        scores = []
        for seed in range(N_STARTS):
            rng = np.random.default_rng(seed)
            X_train, y_train = sequences_with_lag(200, rng)
            X_test, y_test = sequences_with_lag(200, rng)
            network.set_params(random_state=seed).fit(X_train, y_train)
            scores.append(network.score(X_test, y_test))
        seconds = time.perf_counter() - start
        learnt = f"{sum(score > 0.95 for score in scores)} of {N_STARTS}"
        shown = " ".join(f"{score:.3f}" for score in scores)
        print(f"{name:20} {learnt:>8} {seconds:8.1f}  {shown}", flush=True)


if __name__ == "__main__":
    main()
