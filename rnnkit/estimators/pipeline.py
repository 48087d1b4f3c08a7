"""A pipeline through which `forecast` and `stream` of its last step are reachable.

Letters: N sequences, F features of a step as the pipeline takes them, I as its last step does, K
outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from rnnkit.documentation import Documented

__all__ = ["PipelineStream", "SequencePipeline"]


def _last_has(name: str) -> Any:
    def has(self: SequencePipeline) -> bool:
        return hasattr(self._final_estimator, name)

    return available_if(has)


class SequencePipeline(Documented, Pipeline):
    """A scikit-learn `Pipeline` with the `forecast` and `stream` of the estimator that ends it.

    It is made, fitted, searched over and saved like any other `Pipeline`. What goes on step by step
    goes through the transformers step by step: they must map a step by itself, as
    `rnnkit.preprocessing.SequenceScaler` does, not by those before it, as `Difference`.

    Parameters
    ----------
    steps : list of (name, estimator)
    transform_input, memory, verbose
        As of `sklearn.pipeline.Pipeline`.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUSequenceRegressor, SequencePipeline
    >>> from rnnkit.preprocessing import SequenceScaler
    >>> wave = 100 + 20 * np.sin(np.arange(200) / 5).reshape(4, 50, 1)
    >>> regressor = GRUSequenceRegressor(8, learning_rate_init=0.02, random_state=0)
    >>> pipeline = SequencePipeline([("scale", SequenceScaler()), ("regressor", regressor)])
    >>> pipeline = pipeline.fit(wave[:, :-1], wave[:, 1:])
    >>> pipeline.forecast(wave, n_steps=3).shape
    (4, 3, 1)
    >>> stream = pipeline.stream()
    >>> [stream.step(x).shape for x in wave[0, :2]]
    [(1,), (1,)]
    """

    @_last_has("_forecast")
    def forecast(self, X: Any, n_steps: int, lengths: Any = None) -> np.ndarray:
        """Go on from the end of each sequence in closed loop.

        Every output goes through the transformers like a step of X before it is the next input.

        Parameters
        ----------
        X : array-like of shape (N, T, F), list of arrays or Sequences
            As in `fit`; no sequence is empty.
        n_steps : int
            Steps to predict beyond the end of X.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, n_steps), or (N, n_steps, K) if y was given with K columns

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError, TypeError
            As `forecast` of the last step, or if a transformer maps a step by those before it.
        """
        return self._forecast(X, n_steps, lengths, None)

    def _forecast(self, X: Any, n_steps: int, lengths: Any, feed: Any) -> np.ndarray:
        """Forecast in closed loop; `feed` makes the next inputs (B, F) of outputs (B, K)."""
        check_is_fitted(self)
        before = self[:-1]
        if not len(before):
            given: np.ndarray = self._final_estimator._forecast(X, n_steps, lengths, feed)
            return given
        as_array = isinstance(X, np.ndarray) and X.dtype != object
        if as_array and X.ndim != 3:
            raise ValueError(
                "X must hold sequences where a pipeline forecasts: an array (N, T, F), a list or "
                f"Sequences, got an array of shape {X.shape}"
            )
        transformed = before.transform(X)
        _require_each_alone(before, list(X), list(transformed), lengths)

        def through(outputs: np.ndarray) -> np.ndarray:
            rows = np.asarray(outputs if feed is None else feed(outputs))
            return _each_alone(before, rows)

        forecast: np.ndarray = self._final_estimator._forecast(
            transformed, n_steps, lengths, through
        )
        return forecast

    @_last_has("score")
    def score(self, X: Any, y: Any = None, sample_weight: Any = None, **params: Any) -> float:
        """Transform X and score the predictions of the last step.

        Parameters
        ----------
        X, y, sample_weight
            As of `sklearn.pipeline.Pipeline`.
        **params : dict
            Handed on to the last step, as `predict` does, such as `lengths`; with metadata
            routing enabled, to the steps that asked for them.

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError, TypeError
            As `score` of the last step.
        """
        if not params or get_config()["enable_metadata_routing"]:
            return float(super().score(X, y, sample_weight, **params))
        check_is_fitted(self)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        transformed = self[:-1].transform(X) if len(self) > 1 else X
        return float(self._final_estimator.score(transformed, y, **params))

    @_last_has("stream")
    def stream(self) -> PipelineStream:
        """Return an object that takes one sequence step by step, each through the transformers.

        Returns
        -------
        PipelineStream
            Its steps are those of X before they are transformed.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError, AttributeError
            As `stream` of the last step.
        """
        check_is_fitted(self)
        return PipelineStream(self[:-1], self._final_estimator.stream())


class PipelineStream:
    """A stream whose steps go through transformers first; made by `SequencePipeline.stream`.

    What a `rnnkit.Stream` has beside `step` (`state`, `predict_proba`) is reached through it.

    Parameters
    ----------
    before : Pipeline
        Fitted; may be empty.
    stream : Stream
    """

    def __init__(self, before: Any, stream: Any) -> None:
        self._before, self._stream = before, stream
        self._first: np.ndarray | None = None
        self._is_checked = False

    def step(self, x: Any) -> Any:
        """Take one step and return the prediction so far.

        Parameters
        ----------
        x : array-like of shape (F,), or a number if F = 1
            The step, as the pipeline takes it.

        Returns
        -------
        label, float or ndarray of shape (K,)
            As of the stream of the last step.

        Raises
        ------
        ValueError, TypeError
            If x is not one step as in `fit`, or a transformer maps it by those before it, which
            the second step shows.
        """
        if not len(self._before):
            return self._stream.step(x)
        row = np.atleast_1d(np.asarray(x))
        if row.ndim != 1:
            raise ValueError(f"x must be one step, of shape (F,), got shape {row.shape}")
        if not self._is_checked and self._first is not None:
            both = np.stack([self._first, row])
            made = list(self._before.transform(both[np.newaxis]))
            _require_each_alone(self._before, [both], made, None)
            self._is_checked = True
        made = _each_alone(self._before, row[np.newaxis])[0]
        answer = self._stream.step(made)
        self._first = row
        return answer

    def reset(self) -> None:
        """Return to the state before the first step."""
        self._stream.reset()
        self._first = None

    @property
    def state(self) -> Any:
        """What the network remembers; see `rnnkit.Stream`."""
        return self._stream.state

    @state.setter
    def state(self, states: Any) -> None:
        self._stream.state = states
        self._first = None

    def predict_proba(self) -> np.ndarray:
        """Return the probabilities that belong to the last step's prediction.

        Returns
        -------
        ndarray of shape (K,)

        Raises
        ------
        ValueError, AttributeError
            As of `rnnkit.Stream`.
        """
        probabilities: np.ndarray = self._stream.predict_proba()
        return probabilities


def _each_alone(before: Any, rows: np.ndarray) -> np.ndarray:
    """Return what transformers make of steps (B, F), each a sequence of its own: (B, I)."""
    made = before.transform(rows[:, np.newaxis])
    pieces = [np.asarray(piece) for piece in made]
    if len(pieces) != len(rows) or any(piece.shape[:1] != (1,) for piece in pieces):
        raise ValueError(_not_alone(before))
    return np.concatenate(pieces).reshape(len(rows), -1)


def _require_each_alone(before: Any, given: list[Any], made: list[Any], lengths: Any) -> None:
    """Raise ValueError if the last steps of sequences, each alone, become something else."""
    if not len(given):
        return
    ends = [len(x) for x in given] if lengths is None else [int(n) for n in lengths]
    rows = [np.asarray(x)[n - 1] for x, n in zip(given, ends) if n]
    expected = [np.asarray(x) for x, n in zip(made, ends) if n]
    if any(len(x) != len(z) for x, z in zip(given, made)):
        raise ValueError(_not_alone(before))
    last = np.stack([z[n - 1] for z, n in zip(expected, [n for n in ends if n])])
    alone = _each_alone(before, np.stack(rows).reshape(len(rows), -1))
    size = np.abs(last).max(initial=0.0)
    if not np.allclose(alone, last.reshape(len(last), -1), rtol=1e-5, atol=1e-6 * size):
        raise ValueError(_not_alone(before))


def _not_alone(before: Any) -> str:
    names = ", ".join(type(step).__name__ for _, step in before.steps)
    return (
        "forecast and stream of a pipeline need transformers that map every step by itself; among "
        f"{names} is one that does not"
    )
