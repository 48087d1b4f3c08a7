"""The continual embedded Reber grammar: a million symbols without a mark between strings.

    python -m benchmarks.papers.continual_reber [--seeds 5]

Task and criterion: Gers, Schmidhuber & Cummins (2000): the network foresees an endless stream of
strings of the embedded Reber grammar, and has to learn by itself when to forget. A run succeeds if
on 10 streams of 1,000,000 symbols every step is right.

What differs from the paper: a step is right if every symbol that the grammar allows next is rated
higher than every other (there: if no output is off by 0.49); one layer of 16 units instead of
four blocks of two cells; Adam with a rate that sinks, gradients over the 200 steps of a stream. A
training stream has 200 symbols, whatever the errors in it (there it ends at the first error), and 8
make a minibatch. "Sequences" are such streams.
"""

import numpy as np

from rnnkit import LSTMSequenceTagger
from rnnkit.datasets import make_reber_stream

from .runner import Experiment, Outcome, run_experiments

LIMIT = 30_000  # streams, as many as there are at most in the paper
N_SYMBOLS = 200
BETWEEN_TESTS = 1_000
N_STREAMS, N_TESTED = 10, 1_000_000
SYMBOLS = list("BEPSTVX")


def continual_reber(seed, hidden_size=16):
    """Train on fresh streams; look at one of 100,000 symbols now and then, at ten in the end."""
    rng = np.random.RandomState(seed)
    model = LSTMSequenceTagger(
        hidden_size,
        learning_rate_init=0.01,
        learning_rate="cosine",
        max_iter=LIMIT // BETWEEN_TESTS,  # calls of partial_fit that the schedule spans
        batch_size=8,
        random_state=seed,
    )
    n_streams, n_wrong = 0, 1
    while n_wrong and n_streams + BETWEEN_TESTS <= LIMIT:
        n_symbols = BETWEEN_TESTS * (N_SYMBOLS + 1)
        stream = make_reber_stream(n_symbols + 1, rng)
        X = stream.X.values[:n_symbols].reshape(BETWEEN_TESTS, N_SYMBOLS + 1, -1)[:, :N_SYMBOLS]
        y = stream.y[0][:n_symbols].reshape(BETWEEN_TESTS, N_SYMBOLS + 1)[:, :N_SYMBOLS]
        model.partial_fit(X, y, classes=SYMBOLS)
        n_streams += BETWEEN_TESTS
        n_wrong = wrong_steps(model, N_TESTED // 10, rng)
        if not n_wrong:
            n_wrong = wrong_steps(model, N_TESTED, rng)
    wrong = [wrong_steps(model, N_TESTED, rng) for _ in range(N_STREAMS)]
    return Outcome(
        not any(wrong),
        n_streams,
        {f"of {N_STREAMS} streams with an error": sum(map(bool, wrong)), "errors": sum(wrong)},
    )


def wrong_steps(model, n_symbols, rng):
    """Return how many steps of a fresh stream are wrong."""
    stream = make_reber_stream(n_symbols, rng)
    return int((~stream.is_correct_step(model.predict_proba(stream.X))).sum())


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        Experiment(
            "continual_reber",
            continual_reber,
            LIMIT,
            seeds=5,
            paper="18 of 100 nets, 62 of 100 with a rate that sinks",
        ),
    )
