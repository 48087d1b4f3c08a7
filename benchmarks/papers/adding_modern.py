"""The adding problem of today: the sum of two marked numbers among two hundred.

    python -m benchmarks.papers.adding_modern [--seeds 3]

Task: Arjovsky, Shah & Bengio (2016), T = 200, where always answering 1 has the mean squared
error 1/6. Success is an error below 0.001 on 1,000 other sequences, within 75,000. The initial
gate biases are those of Tallec & Ollivier (2018).
"""

import numpy as np

from rnnkit import LSTMRegressor
from rnnkit.datasets import make_adding

from .runner import Experiment, Outcome, run_experiments

LIMIT = 75_000
N_TEST = 1000
BETWEEN_TESTS = 1000
GOAL = 1e-3


def adding(seed, n_steps=200):
    """Train on fresh sequences, tested after every thousand."""
    rng = np.random.RandomState(seed)
    X_test, y_test = make_adding(N_TEST, n_steps, random_state=rng)
    model = LSTMRegressor(
        64, learning_rate_init=2e-3, batch_size=20, gate_bias="chrono", random_state=seed
    )
    n_sequences, error = 0, np.inf
    while error >= GOAL and n_sequences + BETWEEN_TESTS <= LIMIT:
        model.partial_fit(*make_adding(BETWEEN_TESTS, n_steps, random_state=rng))
        n_sequences += BETWEEN_TESTS
        error = float(np.mean((model.predict(X_test) - y_test) ** 2))
    return Outcome(error < GOAL, n_sequences, {"mean squared error": error})


if __name__ == "__main__":
    run_experiments(__doc__.split("\n")[0], Experiment("adding_modern", adding, LIMIT, seeds=3))
