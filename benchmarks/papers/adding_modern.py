"""The adding problem of today: the sum of two marked numbers among hundreds.

    python -m benchmarks.papers.adding_modern [200] [600] [--seeds 3]

Task: Arjovsky, Shah & Bengio (2016), T = 200, where always answering 1 has the mean squared
error 1/6; T = 600 is that of Bai, Kolter & Koltun (2018). Success is an error below 0.001 on
1,000 other sequences, within 75,000.

What differs from the papers: the initial gate biases are those of Tallec & Ollivier (2018), and
sequences are always fresh. At T = 600 Bai et al. train on 50,000 sequences, again and again, with
70,000 weights; here the 17,000 of 64 units, in float32.
"""

from functools import partial

import numpy as np

from rnnkit import GRURegressor, LSTMRegressor
from rnnkit.datasets import make_adding

from .runner import Experiment, Outcome, run_experiments

LIMIT = 75_000
N_TEST = 1000
BETWEEN_TESTS = 1000
GOAL = 1e-3
PAPER = {200: "", 600: "LSTM .164, GRU 5.3e-5"}


def adding(seed, n_steps, estimator=LSTMRegressor):
    """Train on fresh sequences, tested after every thousand."""
    rng = np.random.RandomState(seed)
    dtype = np.float64 if n_steps == 200 else np.float32

    def draw(n):
        X, y = make_adding(n, n_steps, random_state=rng)
        return X.astype(dtype, copy=False), y

    X_test, y_test = draw(N_TEST)
    model = estimator(
        64, learning_rate_init=2e-3, batch_size=20, gate_bias="chrono", random_state=seed
    )
    n_sequences, error = 0, np.inf
    while error >= GOAL and n_sequences + BETWEEN_TESTS <= LIMIT:
        model.partial_fit(*draw(BETWEEN_TESTS))
        n_sequences += BETWEEN_TESTS
        error = float(np.mean((model.predict(X_test) - y_test) ** 2))
    return Outcome(error < GOAL, n_sequences, {"mean squared error": error})


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        Experiment("200", partial(adding, n_steps=200), LIMIT, seeds=3),
        Experiment("600", partial(adding, n_steps=600), LIMIT, seeds=3, paper=PAPER[600]),
        Experiment(
            "600-gru",
            partial(adding, n_steps=600, estimator=GRURegressor),
            LIMIT,
            seeds=3,
            paper=PAPER[600],
        ),
    )
