"""Channel-first data, as aeon and sktime have them, turned into steps of features."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from rnnkit.sequences.forms import FlatSequences

__all__ = ["ChannelFirst"]


class ChannelFirst(FlatSequences):
    """What `Sequences` reads of data whose last axis is time."""

    __slots__ = ()

    @classmethod
    def from_channel_first(
        cls, X: Any, lengths: Any = None, ids: Any = None, *, allow_nan: bool = False
    ) -> Self:
        """Read data whose last axis is time, as aeon and sktime have it.

        Parameters
        ----------
        X : array-like of shape (n, channels, T) or (n, T), or list of arrays
            Of a list, tuple or 1-D object array each entry has shape (channels, T_i), or (T_i,)
            for one channel.
        lengths : array-like of shape (n,), integer, or "nan", default=None
            Steps of each sequence of a padded array, as in `from_array`.
        ids : array-like of shape (n,), default=None
            What each sequence is called.
        allow_nan : bool, default=False
            Whether a value may be NaN.

        Returns
        -------
        Sequences
            The channels are its features; float32 if all arrays are, float64 otherwise.

        Raises
        ------
        TypeError, ValueError
            As `from_any`; if an array has too many axes, there are not as many ids as sequences,
            or one is missing.

        Examples
        --------
        >>> import numpy as np
        >>> from rnnkit import Sequences
        >>> Sequences.from_channel_first(np.zeros((5, 2, 30)))
        Sequences(n=5, steps=150, n_features=2, dtype=float64)
        >>> Sequences.from_channel_first([np.zeros((2, 30)), np.zeros((2, 7))]).lengths
        array([30,  7])
        """
        read: Any = cls
        array = None if isinstance(X, (list, tuple)) else np.asanyarray(X)
        if array is None or (array.ndim == 1 and array.dtype == object):
            turned: Any = [_steps_of(x, i) for i, x in enumerate(X)]
        elif array.ndim == 3:
            turned = array.transpose(0, 2, 1)
        elif array.ndim == 2:
            turned = array[:, :, None]
        else:
            raise ValueError(
                "X must have the axes (sequences, channels, steps), or (sequences, steps) for one "
                f"channel, got shape {array.shape}"
            )
        sequences: Self = read.from_any(turned, lengths, allow_nan=allow_nan)._called(ids)
        return sequences


def _steps_of(x: Any, i: int) -> np.ndarray:
    array: np.ndarray = np.asanyarray(x)
    if array.ndim not in (1, 2):
        raise ValueError(
            f"X: sequence {i} must have the axes (channels, steps), or (steps,) for one channel, "
            f"got shape {array.shape}"
        )
    return array[:, None] if array.ndim == 1 else array.T
