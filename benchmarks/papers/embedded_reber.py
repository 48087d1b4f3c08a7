"""The embedded Reber grammar: predict which symbols may follow, the last from the second.

    python -m benchmarks.papers.embedded_reber [--seeds 10]

Task and criterion: Hochreiter & Schmidhuber (1997), experiment 1: 256 training and 256 test
strings, drawn alike, so that some are in both. A run succeeds once all of them are right at
every step, that is, every symbol that the grammar allows next is rated higher than every other.
The limit is 10,000 sequences.
"""

import numpy as np

from rnnkit import LSTMSequenceTagger
from rnnkit.datasets import make_embedded_reber

from .runner import Experiment, Outcome, run_experiments

LIMIT = 10_000
N_STRINGS = 256
SYMBOLS = list("BEPSTVX")


def embedded_reber(seed, hidden_size=16):
    """Go through the training strings until no string is wrong, and at least once."""
    rng = np.random.RandomState(seed)
    train = make_embedded_reber(N_STRINGS, random_state=rng)
    test = make_embedded_reber(N_STRINGS, random_state=rng)
    model = LSTMSequenceTagger(
        hidden_size, learning_rate_init=0.02, batch_size=8, random_state=seed
    )
    n_sequences, wrong = 0, 2 * N_STRINGS
    while wrong and n_sequences + N_STRINGS <= LIMIT:
        model.partial_fit(train.X, train.y, classes=SYMBOLS)
        n_sequences += N_STRINGS
        wrong = sum(
            int((~data.is_correct(model.predict_proba(data.X))).sum()) for data in (train, test)
        )
    return Outcome(wrong == 0, n_sequences, {"wrong of 512": wrong})


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        Experiment("embedded_reber", embedded_reber, LIMIT, paper="29 to 30 of 30, from 8,440"),
    )
