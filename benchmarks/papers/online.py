"""Training on an endless supply of fresh sequences until the latest were all predicted right."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .runner import Outcome


def train_online(
    learn: Callable[[Any, Any], Any],
    draw: Callable[[int], tuple[Any, Any]],
    errors: Callable[[Any, Any], np.ndarray],
    *,
    tolerance: float,
    mean_error: float,
    in_a_row: int,
    limit: int,
    batch_size: int,
    n_test: int = 2560,
    most_wrong: int = 3,
    n_at_once: int = 2560,
) -> Outcome:
    """Learn from fresh sequences until enough in a row were right, then test on others.

    Parameters
    ----------
    learn : callable (X, y)
        Trains on a minibatch.
    draw : callable (n_samples) -> (X, y)
        Draws sequences.
    errors : callable (X, y) -> array of shape (N, K)
        The absolute errors of the K outputs; they are taken before a minibatch is learned.
    tolerance : float
        A sequence is right if all its errors are smaller.
    mean_error : float
        What the mean of all errors of the latest sequences has to stay below.
    in_a_row : int
        How many sequences, the latest, have to be right.
    limit : int
        The number of training sequences after which the run has failed.
    batch_size : int
        Sequences of a minibatch.
    n_test : int, default=2560
        Test sequences.
    most_wrong : int, default=3
        How many of them may be wrong.
    n_at_once : int, default=2560
        How many of them are held in memory at a time.

    Returns
    -------
    Outcome
        Reached if training ended within the limit and at most `most_wrong` test sequences are
        wrong.
    """
    X, y = draw(batch_size)
    learn(X, y)
    n_sequences = batch_size
    latest: deque[np.ndarray] = deque(maxlen=in_a_row)
    learned = False
    while not learned and n_sequences + batch_size <= limit:
        X, y = draw(batch_size)
        latest.extend(errors(X, y))
        learned = len(latest) == in_a_row and _all_right(latest, tolerance, mean_error)
        if not learned:
            learn(X, y)
            n_sequences += batch_size
    sizes = [min(n_at_once, n_test - begin) for begin in range(0, n_test, n_at_once)]
    tested = np.concatenate([errors(*draw(size)) for size in sizes])
    wrong = int((tested.max(axis=1) >= tolerance).sum())
    return Outcome(
        learned and wrong <= most_wrong,
        n_sequences,
        {f"wrong of {n_test:,}": wrong, "mean error": float(tested.mean())},
    )


def _all_right(latest: deque[np.ndarray], tolerance: float, mean_error: float) -> bool:
    """Tell whether the latest sequences were all right, the newest looked at first."""
    if any((error >= tolerance).any() for error in reversed(latest)):
        return False
    return float(np.mean(latest)) < mean_error
