"""Sequences taken step by step, with the network's states kept between the steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.network import Inputs, Network, NetworkStream
from rnnkit.network.streaming import checked_numbers, checked_sequences
from rnnkit.ownership import Owner
from rnnkit.sequences.reading import refuse_masked

__all__ = ["Stream", "checked_states", "like"]


class Stream:
    """One sequence, or n side by side, fed step by step to a fitted estimator.

    Made by an estimator's `stream()`. After the last step the prediction has the very bits
    that `predict` gives for the whole sequence. A stream is one thread's: a call that comes while
    another one runs raises RuntimeError. A copy, or what a pickle brings back, goes on from the
    same step by itself.

    Parameters
    ----------
    estimator : estimator
        A fitted rnnkit estimator; a copy of its network at this moment is used from then on.
    n_sequences : int, default=None
        n, how many sequences take each step together. None: one, whose steps and predictions
        have no dimension for it.

    Raises
    ------
    TypeError
        If `n_sequences` is no integer.
    ValueError
        If the network reads sequences backwards too, has convolutions that are centred or shorten
        sequences, or scores them only as a whole; if
        `n_sequences` is below 1.

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

    Twenty at once:

    >>> stream = classifier.stream(20)
    >>> for x in X.transpose(1, 0, 2):
    ...     labels = stream.step(x)
    >>> bool((labels == classifier.predict(X)).all())
    True
    """

    def __init__(self, estimator: Any, n_sequences: int | None = None) -> None:
        n_sequences = checked_sequences(n_sequences)
        name = type(estimator).__name__
        network = estimator.network_
        if not network.is_causal:
            raise ValueError(f"stream() needs {network.cut_needs}; {name} reads ahead")
        if network.output.whole_sequences:
            spoken_name = network.output.spoken_name
            raise ValueError(f"stream() needs scores of every step; {spoken_name} has none")
        self._open(estimator, network.copy(), n_sequences)

    def _open(self, estimator: Any, network: Network, n_sequences: int | None) -> None:
        """Start sequences of an estimator's, computed by a network that nobody else changes."""
        self._estimator = estimator
        self._network = network
        self._n_sequences = n_sequences
        self._backend = get_backend(estimator.device, fall_back=True)
        with self._backend.active():
            self._bound = NetworkStream(network, self._backend, n_sequences)
        self._reader, codec = estimator._reader, estimator._codec
        self._decode = codec.decode
        self._on_host = self._backend.on_host
        self._dtype = network.dtype
        self._owner = Owner("stream")
        self._try_to_take, self._take_back = self._owner.try_to_take, self._owner.take_back
        self._scores: Any = None
        self._started = False
        self._numbers = self._bound.numbers
        self._names: list[Any] = []  # what the place of the largest score is called
        reader = self._reader
        is_one_id = reader.all_tokens and len(reader.n_tokens) == 1 and not any(reader.labels)
        self._n_ids = reader.n_tokens[0] if is_one_id and n_sequences is None else 0
        if self._numbers is not None:
            self._decide, self._own_scores = self._numbers.decide, self._numbers.scores
            if network.output.takes_largest and n_sequences is None:
                self._names = list(codec.decode(np.arange(network.output.width)))

    def reset(self, sequences: Any = None) -> None:
        """Return to the state before the first step.

        Parameters
        ----------
        sequences : int or array-like of int, or mask of shape (n,), default=None
            Which of n sequences begin anew, the others go on; None: all.

        Raises
        ------
        TypeError, ValueError, IndexError
            If there are no such sequences.
        """
        with self._owner:
            if sequences is None:
                self._reset()
                return
            numbers = checked_numbers(sequences, self._n_sequences)
            if self._started:
                with self._backend.active():
                    self._bound.begin(numbers)

    def _reset(self) -> None:
        self._bound.reset()
        self._scores = None
        self._started = False

    @property
    def state(self) -> list[tuple[np.ndarray | None, ...]] | None:
        """What the network remembers: arrays (n, ·) for every layer that does; None at the start.

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
                self._bound.state = checked_states(states, self._models(), self._backend.xp)
            self._scores = None
            self._started = True

    def step(self, x: Any) -> Any:
        """Take one step and return the prediction so far.

        Parameters
        ----------
        x : array-like of shape (I,), or a number if I = 1; (n, I), or (n,), of n sequences
            The features, or token ids, of the step.

        Returns
        -------
        label, float or ndarray of shape (K,); ndarray of shape (n,) or (n, K) of n sequences
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
            if self._names and type(x) is np.ndarray:  # a masked one is none
                place = self._decide(x)
                if place >= 0:
                    self._started = True
                    self._scores = self._own_scores
                    return self._names[place]
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
        ndarray of shape (K,), or (n, K) of n sequences

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
            numbers: np.ndarray = self._backend.download(probabilities)
        return numbers[0] if self._n_sequences is None else numbers

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
                "n_sequences": self._n_sequences,
                "state": states,
                "scores": on_host(self._scores),
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["estimator"], state["network"], state.get("n_sequences"))
        self.state = state["state"]
        if state["scores"] is not None:
            with self._backend.active():
                self._scores = self._backend.xp.asarray(state["scores"])

    def _step(self, x: Any) -> Any:
        if self._numbers is not None and type(x) is np.ndarray and self._numbers.step(x):
            scores = self._own_scores
        elif self._n_ids and self._is_id(x):
            scores = self._bound.feed(int(x))
        else:
            scores = self._bound.step(self._read(x))
        self._started = True
        self._scores = scores
        decision = self._bound.decision(scores)
        if not self._on_host:
            decision = self._backend.download(decision)
        predictions = self._decode(decision)
        return predictions[0] if self._n_sequences is None else predictions

    def _models(self) -> list[tuple[Any, ...]]:
        """Return states of this network, those of a first step of zeros if there was none."""
        if self._started:
            return self._bound.state
        n, reader = self._bound.n, self._reader
        n_numeric, n_tokens = reader.n_numeric, len(reader.token_columns)
        numeric = np.zeros((n, n_numeric), self._dtype) if n_numeric else None
        tokens = np.zeros((n, n_tokens), np.intp) if n_tokens else None
        self._bound.step(Inputs(numeric, tokens))
        models = self._bound.state
        self._bound.reset()
        return models

    def _is_id(self, x: Any) -> bool:
        """Whether x is an id by itself, for networks that look up nothing else."""
        is_integer = isinstance(x, (int, np.integer)) and type(x) is not bool
        return is_integer and 0 <= int(x) < self._n_ids

    def _read(self, x: Any) -> Inputs:
        """Return x, whatever its form, as the network takes it."""
        step = self._reader.step(x, self._n_sequences)
        sequences, _ = self._reader.read(self._estimator, step, name="x")
        inputs: Inputs = self._reader.inputs(sequences)
        return inputs


def checked_states(states: Any, models: list[tuple[Any, ...]], xp: Any) -> list[tuple[Any, ...]]:
    """Return states if they are like those of a network, and finite.

    Parameters
    ----------
    states : object
        What a user gave.
    models : list of tuple of (array or None)
        States of the network.
    xp : module
        Whose arrays are returned.

    Raises
    ------
    ValueError
        If they are not.
    """
    counts = list(map(_count, states)) if isinstance(states, (list, tuple)) else None
    if counts != list(map(len, models)):
        raise ValueError(
            "state must be what was got from a stream of the same network: a list of "
            f"{len(models)} tuples of arrays"
        )
    return [
        tuple(like(*pair, f"state[{place}]", xp) for pair in zip(of_layer, model))
        for place, (of_layer, model) in enumerate(zip(states, models))
    ]


def _count(of_layer: Any) -> int:
    return len(of_layer) if isinstance(of_layer, (list, tuple)) else -1


def like(array: Any, model: Any, name: str, xp: Any) -> Any:
    """Return an array of a state in the dtype of the one that is in its place.

    Raises
    ------
    ValueError
        If it has another shape, or holds other than finite numbers of that dtype.
    """
    if model is None:
        if array is not None:
            raise ValueError(f"{name} must be None")
        return None
    refuse_masked(array, name)
    given = array if hasattr(array, "dtype") else np.asarray(array)
    if given.shape != model.shape or given.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must hold numbers of shape {model.shape}, got {given.dtype} of {given.shape}"
        )
    with np.errstate(over="ignore"):
        numbers = xp.asarray(given, dtype=model.dtype)
    if not bool(xp.isfinite(numbers).all()):
        raise ValueError(f"{name} must be finite numbers of {model.dtype}")
    return numbers
