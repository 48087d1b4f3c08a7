"""A sequence taken step by step, with the network's state kept between the steps."""

from __future__ import annotations

from copy import deepcopy
from math import isfinite
from typing import Any

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.network import Inputs, Network, NetworkStream
from rnnkit.ownership import Owner

__all__ = ["Stream"]


class Stream:
    """One sequence that is fed step by step to a fitted estimator.

    Made by an estimator's `stream()`. After the last step the prediction has the very bits
    that `predict` gives for the whole sequence. A sequence is one thread's: a call that comes while
    another one runs raises RuntimeError. A copy, or what a pickle brings back, goes on from the
    same step by itself.

    Parameters
    ----------
    estimator : estimator
        A fitted rnnkit estimator; a copy of its network at this moment is used from then on.

    Raises
    ------
    ValueError
        If the network reads sequences backwards too, or scores them only as a whole.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> y = X[:, 0, 0] > 0
    >>> classifier = GRUClassifier(4, max_iter=3, tol=0, random_state=0, learning_rate="linear")
    >>> stream = classifier.fit(X, y).stream()
    >>> for x in X[0]:
    ...     label = stream.step(x)
    >>> label == classifier.predict(X[:1])[0]
    np.True_
    """

    def __init__(self, estimator: Any) -> None:
        name = type(estimator).__name__
        network = estimator.network_
        if not network.is_causal:
            raise ValueError(f"stream() needs bidirectional=False; {name} reads backwards too")
        if network.output.whole_sequences:
            spoken_name = network.output.spoken_name
            raise ValueError(f"stream() needs scores of every step; {spoken_name} has none")
        self._open(estimator, deepcopy(network))

    def _open(self, estimator: Any, network: Network) -> None:
        """Start a sequence of an estimator's, computed by a network that nobody else changes."""
        self._estimator = estimator
        self._network = network
        self._backend = get_backend(estimator.device, fall_back=True)
        with self._backend.active():
            self._bound = NetworkStream(network, self._backend)
        self._reader = estimator._reader
        self._decode = estimator._codec.decode
        self._takes_numbers = not self._reader.token_columns
        self._on_host = self._backend.on_host
        self._take_numbers = self._bound.step_numbers
        self._shape = (self._reader.n_step_features,)
        self._dtype = np.dtype(network.dtype.type)  # the one object; a pickle brings another
        self._owner = Owner("stream")
        self._try_to_take, self._take_back = self._owner.try_to_take, self._owner.take_back
        self._scores: Any = None
        self._started = False

    def reset(self) -> None:
        """Return to the state before the first step."""
        with self._owner:
            self._reset()

    def _reset(self) -> None:
        self._bound.reset()
        self._scores = None
        self._started = False

    @property
    def state(self) -> list[tuple[np.ndarray | None, ...]] | None:
        """What the network remembers: arrays for every layer that does; None at the start.

        May be set to what was got earlier, from this stream or another of the same network.

        Raises
        ------
        ValueError
            If what it is set to has other arrays than this network's, or numbers that are not
            finite.
        """
        with self._owner:
            return self._bound.state if self._started else None

    @state.setter
    def state(self, states: list[tuple[np.ndarray | None, ...]] | None) -> None:
        with self._owner:
            if states is None:
                self._reset()
                return
            with self._backend.active():
                self._bound.state = self._checked(states)
            self._scores = None
            self._started = True

    def step(self, x: Any) -> Any:
        """Take one step and return the prediction so far.

        Parameters
        ----------
        x : array-like of shape (I,), or a number if I = 1
            The features, or token ids, of the step.

        Returns
        -------
        label, float or ndarray of shape (K,)
            What `predict` would return for the steps so far, of the last step where the
            estimator answers per step.

        Raises
        ------
        ValueError, TypeError
            If x is not one step as in `fit`.
        RuntimeError
            If another thread's call is running.
        """
        if not self._try_to_take(False):
            self._owner.refuse()
        try:
            if self._on_host:
                return self._step(x)
            with self._backend.active():
                return self._step(x)
        finally:
            self._take_back()

    def predict_proba(self) -> np.ndarray:
        """Return the probabilities that belong to the last step's prediction.

        Returns
        -------
        ndarray of shape (K,)

        Raises
        ------
        ValueError
            If there was no step yet.
        AttributeError
            If the estimator has no probabilities.
        """
        if self._scores is None:
            raise ValueError("predict_proba() needs at least one step()")
        with self._owner, self._backend.active():
            probabilities = self._bound.probabilities(self._scores)
            numbers: np.ndarray = self._backend.download(probabilities)[0]
        return numbers

    def __getstate__(self) -> dict[str, Any]:
        def on_host(array: Any) -> Any:
            return None if array is None else np.array(self._backend.download(array))

        with self._owner, self._backend.active():
            states = self._bound.state if self._started else None
            if states is not None:
                states = [tuple(map(on_host, of_layer)) for of_layer in states]
            return {
                "estimator": self._estimator,
                "network": self._network,
                "state": states,
                "scores": on_host(self._scores),
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["estimator"], state["network"])
        self.state = state["state"]
        if state["scores"] is not None:
            with self._backend.active():
                self._scores = self._backend.xp.asarray(state["scores"])

    def _step(self, x: Any) -> Any:
        if self._on_host and self._is_ready(x):
            scores = self._take_numbers(x[np.newaxis])
        else:
            scores = self._bound.step(self._read(x))
        self._started = True
        self._scores = scores
        decision = self._bound.decision(scores)
        if not self._on_host:
            decision = self._backend.download(decision)
        return self._decode(decision)[0]

    def _checked(self, states: Any) -> list[tuple[Any, ...]]:
        """Return states if they are like this network's, and finite."""
        models = self._models()
        counts = list(map(_count, states)) if isinstance(states, (list, tuple)) else None
        if counts != list(map(len, models)):
            raise ValueError(
                "state must be what was got from a stream of the same network: a list of "
                f"{len(models)} tuples of arrays"
            )
        xp = self._backend.xp
        checked: list[tuple[Any, ...]] = []
        for place, (of_layer, like) in enumerate(zip(states, models)):
            pairs = zip(of_layer, like)
            checked.append(tuple(_like(*pair, f"state[{place}]", xp) for pair in pairs))
        return checked

    def _models(self) -> list[tuple[Any, ...]]:
        """Return states of this network, those of a first step of zeros if there was none."""
        if self._started:
            return self._bound.state
        n_numeric, n_tokens = self._reader.n_numeric, len(self._reader.token_columns)
        numeric = np.zeros((1, n_numeric), self._dtype) if n_numeric else None
        tokens = np.zeros((1, n_tokens), np.intp) if n_tokens else None
        self._bound.step(Inputs(numeric, tokens))
        models = self._bound.state
        self._bound.reset()
        return models

    def _is_ready(self, x: Any) -> bool:
        """Whether x is in the form that the network takes already."""
        return (
            self._takes_numbers
            and type(x) is np.ndarray
            and x.dtype is self._dtype
            and x.shape == self._shape
            and isfinite(sum(x.tolist()))
        )

    def _read(self, x: Any) -> Inputs:
        """Return x, whatever its form, as the network takes it."""
        sequences, _ = self._reader.read(self._estimator, self._reader.step(x), name="x")
        inputs: Inputs = self._reader.inputs(sequences)
        return inputs


def _count(of_layer: Any) -> int:
    return len(of_layer) if isinstance(of_layer, (list, tuple)) else -1


def _like(array: Any, model: Any, name: str, xp: Any) -> Any:
    """Return an array of a state in the dtype of the one that is in its place."""
    if model is None:
        if array is not None:
            raise ValueError(f"{name} must be None")
        return None
    if np.shape(array) != model.shape or getattr(array, "dtype", model.dtype).kind not in "fiu":
        raise ValueError(
            f"{name} must hold numbers of shape {model.shape}, got an array of {np.shape(array)}"
        )
    numbers = xp.asarray(array, dtype=model.dtype)
    if not bool(xp.isfinite(numbers).all()):
        raise ValueError(f"{name} must be finite")
    return numbers
