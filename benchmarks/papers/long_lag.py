"""Long lag with noise: what came second comes last, hundreds of distractors later.

    python -m benchmarks.papers.long_lag [50] [100] [200] [--seeds 5]

Task and criterion: Hochreiter & Schmidhuber (1997), experiment 2c, with as many kinds of
distractors as there are in the shortest sequence (p = q): a run succeeds if in each of 10,000 test
sequences both outputs are within 0.2 of 0 or 1. Training ends when 2,000 sequences in a row were,
before they were learnt from. The limits are the paper's numbers of sequences.

What differs from the paper: only the last symbol is predicted, where the paper's network foresees
every one; one layer of 16 units instead of two cells, whole gradients instead of truncated ones,
Adam on minibatches of 10, and the initial gate biases of Tallec & Ollivier (2018).
"""

from functools import partial

import numpy as np

from rnnkit import LSTMClassifier
from rnnkit.datasets import make_noisy_lag

from .online import train_online
from .runner import Experiment, run_experiments

LIMITS = {50: 30_000, 100: 31_000, 200: 33_000}


def long_lag(seed, lag):
    """Train on fresh sequences, ten at a time."""
    rng = np.random.RandomState(seed)
    model = LSTMClassifier(16, learning_rate_init=3e-3, gate_bias="chrono", random_state=seed)
    return train_online(
        partial(model.partial_fit, classes=["x", "y"]),
        lambda n: make_noisy_lag(n, lag, lag, rng),
        lambda X, y: np.abs(model.predict_proba(X) - (y[:, np.newaxis] == model.classes_)),
        tolerance=0.2,
        mean_error=0.2,
        in_a_row=2000,
        limit=LIMITS[lag],
        batch_size=10,
        n_test=10_000,
        most_wrong=0,
        n_at_once=500,
    )


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        *(
            Experiment(str(lag), partial(long_lag, lag=lag), limit, 5, f"{limit:,} sequences")
            for lag, limit in LIMITS.items()
        ),
    )
