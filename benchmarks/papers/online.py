"""Training on an endless supply of fresh sequences until the latest were all predicted right."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .runner import Outcome

N_TEST = 2560
MOST_WRONG = 3


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
) -> Outcome:
    """Learn from fresh sequences until enough in a row were right, then test on 2,560 others.

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

    Returns
    -------
    Outcome
        Reached if training ended within the limit and at most 3 test sequences are wrong.
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
    tested = errors(*draw(N_TEST))
    wrong = int((tested.max(axis=1) >= tolerance).sum())
    return Outcome(
        learned and wrong <= MOST_WRONG,
        n_sequences,
        {f"wrong of {N_TEST:,}": wrong, "mean error": float(tested.mean())},
    )


def _all_right(latest: deque[np.ndarray], tolerance: float, mean_error: float) -> bool:
    """Tell whether the latest sequences were all right, the newest looked at first."""
    if any((error >= tolerance).any() for error in reversed(latest)):
        return False
    return float(np.mean(latest)) < mean_error
