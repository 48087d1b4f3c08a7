"""Sine waves whose next values are to be predicted."""

from __future__ import annotations

from numbers import Real

import numpy as np

from rnnkit.datasets.drawing import check_count, random_state_of

__all__ = ["make_sine_waves"]

LEAST = 0.25  # steps per radian: the phases are drawn of whole numbers below 4 times as many
LARGEST = 2**60  # from here on these have no room


def make_sine_waves(
    n_samples: int = 100,
    n_steps: int = 1000,
    scale: float = 20.0,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    """Generate sine waves of one frequency with random phases.

    Wave i at step t is ``sin((t + s_i) / scale)`` with s_i a whole number uniform in
    [-4 scale, 4 scale). The input of a step is its value, the target the next value:
    ``X, y = waves[:, :-1], waves[:, 1:]``.

    Task: the time sequence prediction example of PyTorch: 97 waves train, 3 test, and the
    network then runs 1000 steps on its own output.

    Parameters
    ----------
    n_samples : int, default=100
        Number of waves N.
    n_steps : int, default=1000
        Length T.
    scale : float, default=20.0
        Steps per radian, at least 0.25; the period is ``2 π scale`` steps.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    ndarray of shape (N, T), float64

    Raises
    ------
    TypeError, ValueError
        If an argument is not accepted.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.datasets import make_sine_waves
    >>> waves = make_sine_waves(n_samples=2, n_steps=4, random_state=0)
    >>> np.round(waves, 3)
    array([[-0.997, -1.   , -1.   , -0.997],
           [ 0.961,  0.946,  0.929,  0.909]])
    """
    n = check_count(n_samples, "n_samples")
    check_count(n_steps, "n_steps")
    if isinstance(scale, bool) or not isinstance(scale, Real):
        raise TypeError(f"scale must be a number, got {scale!r}")
    if not LEAST <= scale < LARGEST:
        raise ValueError(f"scale must be at least {LEAST} and less than 2**60, got {scale!r}")
    rng = random_state_of(random_state)
    shifts = rng.randint(-int(4 * scale), int(4 * scale), size=(n, 1))
    return np.sin((np.arange(n_steps) + shifts) / scale)
