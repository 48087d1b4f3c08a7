"""Temporal order: which of X and Y came when, far apart among a hundred distractors.

    python -m benchmarks.papers.temporal_order [6a] [6b] [--seeds 10]

Task and criterion: Hochreiter & Schmidhuber (1997), experiments 6a (two relevant symbols, four
classes) and 6b (three, eight classes): training ends when 2,000 sequences in a row had every
output within 0.3 of 0 or 1 and the mean error is below 0.1, and of 2,560 test sequences at most
3 are wrong. The limits are 31,390 and 571,100 sequences. The initial gate biases are those of
Tallec & Ollivier (2018).
"""

from functools import partial

import numpy as np

from rnnkit import LSTMClassifier
from rnnkit.datasets import make_temporal_order

from .online import train_online
from .runner import Experiment, run_experiments

LIMITS = {"6a": 31_390, "6b": 571_100}
RELEVANT = {"6a": 2, "6b": 3}


def temporal_order(seed, experiment):
    """Train on fresh sequences, ten at a time."""
    rng = np.random.RandomState(seed)
    model = LSTMClassifier(32, learning_rate_init=3e-3, gate_bias="chrono", random_state=seed)
    classes = all_orders(RELEVANT[experiment])
    return train_online(
        partial(model.partial_fit, classes=classes),
        lambda n: make_temporal_order(n, RELEVANT[experiment], rng),
        lambda X, y: np.abs(model.predict_proba(X) - (y[:, np.newaxis] == model.classes_)),
        tolerance=0.3,
        mean_error=0.1,
        in_a_row=2000,
        limit=LIMITS[experiment],
        batch_size=10,
    )


def all_orders(n_relevant):
    """Return the classes: XX, XY, ..."""
    orders = [""]
    for _ in range(n_relevant):
        orders = [order + letter for order in orders for letter in "XY"]
    return orders


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        *(
            Experiment(name, partial(temporal_order, experiment=name), LIMITS[name])
            for name in LIMITS
        ),
    )
