"""A text taken token by token: after each one, how probable is what may follow.

Letters: K ids, S numbers of a context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from rnnkit.backends import get_backend
from rnnkit.estimators.language.choosing import Choice
from rnnkit.estimators.language.texts import read_texts
from rnnkit.estimators.language.vocabulary import UNKNOWN_ID, Vocabulary, is_token
from rnnkit.estimators.language.writing import Stops, blocks, checked_count, uniforms
from rnnkit.estimators.stream import checked_states, like
from rnnkit.network import Network, NetworkStream
from rnnkit.network.labels import log_softmax
from rnnkit.ownership import Owner

__all__ = ["TextStream"]


class TextStream:
    """One text that is read or written token by token by a fitted language model.

    Made by a model's `stream()`. The probabilities have the very bits of `score_samples` on the
    whole. A stream is one thread's: a call that comes while another one runs raises RuntimeError. A
    copy, or what a pickle brings back, goes on from the same token by itself.

    Parameters
    ----------
    estimator : estimator
        A fitted language model; a copy of its network at this moment is used from then on.
    context : label or array-like of shape (S,), default=None
        What is known of the text, for a model that was fitted with contexts.

    Examples
    --------
    >>> from rnnkit import GRULanguageModel
    >>> model = GRULanguageModel(8, random_state=0).fit("abcabcabc" * 40)
    >>> stream = model.stream()
    >>> for token in "abcab":
    ...     log_probabilities = stream.step(token)
    >>> model.vocabulary_
    {'a': 1, 'b': 2, 'c': 3}
    >>> int(log_probabilities.argmax())
    3
    """

    def __init__(self, estimator: Any, context: Any = None) -> None:
        contexts = estimator._read_contexts(context, 1)
        self._open(estimator.network_.copy(), estimator.device, estimator._codec, contexts)
        self._reset()

    def _open(
        self, network: Network, device: str, vocabulary: Vocabulary, contexts: np.ndarray | None
    ) -> None:
        self._network, self._device = network, device
        self._vocabulary, self._contexts = vocabulary, contexts
        self._backend = get_backend(device, fall_back=True)
        self._owner = Owner("stream")
        with self._backend.active():
            self._bound = NetworkStream(network, self._backend)
        self._scores: np.ndarray = np.zeros((1, vocabulary.width), network.dtype)

    def reset(self) -> None:
        """Return to before the first token."""
        with self._owner:
            self._reset()

    def _reset(self) -> None:
        self._bound.reset()
        self._feed(self._vocabulary.start)

    def _feed(self, token: int) -> None:
        """Read a token's id; what follows it is then known."""
        if self._backend.on_host:
            self._scores = self._bound.feed(token, self._contexts)
        else:
            with self._backend.active():
                self._scores = self._backend.download(self._bound.feed(token, self._contexts))

    def step(self, token: Any) -> np.ndarray:
        """Read a token and return what may follow.

        Parameters
        ----------
        token : str or int
            A character, a word or an id; one that the model does not know is the unknown.

        Returns
        -------
        ndarray of shape (K,), float64
            As `log_probabilities`.

        Raises
        ------
        TypeError, ValueError
            If it is no single token.
        RuntimeError
            If another thread's call is running.
        """
        token_id = self._id(token)
        with self._owner:
            self._feed(token_id)
            return self._log_probabilities()

    def read(self, text: Any) -> np.ndarray:
        """Read all tokens of a text and return what may follow.

        Parameters
        ----------
        text : str, list or array
            One text as in `fit`.

        Returns
        -------
        ndarray of shape (K,), float64
            As `log_probabilities`.

        Raises
        ------
        TypeError, ValueError
            If it is no text.
        """
        self.read_ids(self._vocabulary.ids(_one(text, self._vocabulary, "text"), "text").tolist())
        return self.log_probabilities

    def read_ids(self, ids: Sequence[int]) -> None:
        """Read tokens given by their ids in the model's `vocabulary_`."""
        with self._owner:
            for token_id in ids:
                self._feed(token_id)

    @property
    def log_probabilities(self) -> np.ndarray:
        """The logarithm of the probability of what may follow, (K,), float64.

        By the ids of the model's `vocabulary_`; the first is that of the unknown and, where
        documents have ends, the last that of the end.
        """
        with self._owner:
            return self._log_probabilities()

    def _log_probabilities(self) -> np.ndarray:
        row: np.ndarray = log_softmax(self._scores)[0]
        return row

    def sample(
        self,
        n: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: Any = None,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Write on from here.

        Parameters
        ----------
        n : int
            Tokens at most; a document may end before.
        temperature, top_k, top_p, stop, random_state
            As of the model's `sample`.

        Yields
        ------
        str or int
            A token as soon as it is written. The stream has then read it.

        Raises
        ------
        TypeError, ValueError
            If an argument is none.
        """
        choice = Choice(temperature, top_k, top_p)
        stops = Stops.of(stop, self._vocabulary)
        seed = check_random_state(random_state).randint(2**31 - 1, size=1)[0]
        return self._write(checked_count(n), choice, stops, int(seed))

    def _write(self, n: int, choice: Choice, stops: Stops, seed: int) -> Iterator[Any]:
        tokens = self._vocabulary.tokens
        for token_id in self.write_ids(n, choice, stops, seed):
            yield tokens[token_id - 1]

    def written(self, n: int, choice: Choice, stops: Stops, seed: int) -> list[int]:
        """Return what `write_ids` yields, sooner where nobody looks at single tokens."""
        short_way = self._bound.short_way
        if short_way is None or not choice.is_plain or stops.runs:
            return list(self.write_ids(n, choice, stops, seed))
        temperature = 0.0 if choice.is_greedy else float(choice.temperature)
        end = -1 if self._vocabulary.end is None else self._vocabulary.end
        dice = blocks(seed)
        found: list[int] = []
        with self._owner:
            while len(found) < n:
                at = next(dice)[: n - len(found)]
                ids, self._scores = short_way.write(self._scores, temperature, at, end)
                found += ids.tolist()
                if found[-1] == end:
                    return found[:-1]
        return found

    def write_ids(self, n: int, choice: Choice, stops: Stops, seed: int) -> Iterator[int]:
        """Write on from here; yield the id of every token of the model's `vocabulary_`.

        Parameters
        ----------
        n, choice, stops
            As of `sample`, checked.
        seed : int
            Of what is drawn.
        """
        end, owner, backend = self._vocabulary.end, self._owner, self._backend
        held = stops.holding() if stops.runs else None
        for _, at in zip(range(n), uniforms(seed)):
            with owner:
                token_id = int(choice.draw(self._scores, np.array([at]), backend)[0])
                if token_id == end:
                    break
                self._feed(token_id)
            if held is None:
                yield token_id
                continue
            yield from held.take(token_id)
            if held.stopped:
                return
        if held is not None:
            yield from held.rest()

    @property
    def state(self) -> tuple[list[tuple[np.ndarray | None, ...]], np.ndarray]:
        """What the network remembers, and its raw scores of what may follow; copies.

        May be set to what was got earlier, from this stream or another of the same model.

        Raises
        ------
        ValueError
            If what it is set to is not like this.
        """
        with self._owner, self._backend.active():
            download = self._backend.download
            states = [
                tuple(None if array is None else np.array(download(array)) for array in of_layer)
                for of_layer in self._bound.state
            ]
            return states, self._scores[0].copy()

    @state.setter
    def state(self, state: Any) -> None:
        with self._owner, self._backend.active():
            if not isinstance(state, tuple) or len(state) != 2:
                raise ValueError(
                    "state must be what was got from a stream of the same model: states and scores"
                )
            states = checked_states(state[0], self._bound.state, self._backend.xp)
            self._scores = np.array(like(state[1], self._scores[0], "scores of state", np))[None]
            self._bound.state = states

    def _id(self, token: Any) -> int:
        kind = self._vocabulary.token_kind
        if not is_token(token, kind):
            asked = "an id, a whole number from 0 on" if kind == "ids" else f"one of {kind}"
            raise TypeError(f"token must be {asked}, got {token!r:.80}")
        return self._vocabulary.index.get(token, UNKNOWN_ID)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "network": self._network,
            "device": self._device,
            "vocabulary": self._vocabulary,
            "contexts": self._contexts,
            "state": self.state,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["network"], state["device"], state["vocabulary"], state["contexts"])
        self._reset()
        self.state = state["state"]


def _one(text: Any, vocabulary: Vocabulary, name: str) -> Any:
    """Return one text read, not documents."""
    is_words = vocabulary.token_kind == "words" and not isinstance(text, str)
    texts = read_texts([text] if is_words else text, vocabulary.token_kind, name)
    if len(texts) != 1:
        raise ValueError(f"{name} must be one text, got {len(texts)}")
    return texts
