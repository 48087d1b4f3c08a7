"""Copying: ten symbols are shown, and to be repeated a hundred blanks later.

    python -m benchmarks.papers.copying [fixed] [grown] [--seeds 3]

Task: Arjovsky, Shah & Bengio (2016), T = 100, ten of eight symbols; without memory the mean
cross-entropy per step is 0.173 nats. Success is 99 % of the repeated symbols right on 1,000 other
sequences. "fixed" trains on 100 blanks from the beginning; "grown" on 5 blanks at first, and a
third more whenever 95 % of the symbols of a thousand sequences are right.

What differs from the paper: only the ten steps that repeat are learnt from, and counted; 128 units;
the initial gate biases of Tallec & Ollivier (2018); fewer sequences.
"""

from functools import partial

import numpy as np

from rnnkit import LSTMSequenceTagger
from rnnkit.datasets import make_copying

from .runner import Experiment, Outcome, run_experiments

LIMIT = 100_000
N_BLANKS, N_COPIED = 100, 10
BETWEEN_TESTS, N_TEST = 1_000, 1_000
GOAL = 0.99


def copying(seed, first_blanks):
    """Train on fresh sequences, with more blanks as soon as those so far are copied."""
    rng = np.random.RandomState(seed)
    model = LSTMSequenceTagger(
        128,
        gate_bias="chrono",
        learning_rate_init=2e-3,
        batch_size=20,
        random_state=seed,
    )
    test = draw(N_TEST, N_BLANKS, rng)
    n_sequences, n_blanks, share = 0, first_blanks, 0.0
    longest = draw(1, N_BLANKS, rng)  # so that the gates begin with biases for it
    model.partial_fit(longest[0], longest[1], classes=np.arange(9))
    while share < GOAL and n_sequences + BETWEEN_TESTS <= LIMIT:
        X, y = draw(BETWEEN_TESTS, n_blanks, rng)
        known = model.score(X, y)
        if known >= 0.95:
            n_blanks = min(N_BLANKS, n_blanks + n_blanks // 3 + 1)
        model.partial_fit(X, y)
        n_sequences += BETWEEN_TESTS
        share = model.score(*test)
    return Outcome(share >= GOAL, n_sequences, {"right symbols": share, "blanks reached": n_blanks})


def draw(n, n_blanks, rng):
    """Return sequences and targets; those of the steps before the last ten are None."""
    X, y = make_copying(n, n_blanks, n_copied=N_COPIED, random_state=rng)
    targets = y.astype(object)
    targets[:, :-N_COPIED] = None
    return X.astype(np.float32), targets


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        *(
            Experiment(
                name,
                partial(copying, first_blanks=first),
                LIMIT,
                seeds=3,
                paper="LSTM stays at .173 nats, uRNN solves it",
            )
            for name, first in [("fixed", N_BLANKS), ("grown", 5)]
        ),
    )
