"""Writing: many texts at once, each token drawn from what the network expects.

Letters: m texts, K ids, S numbers of a context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.estimators.language.choosing import Choice
from rnnkit.estimators.language.texts import read_texts
from rnnkit.estimators.language.vocabulary import UNKNOWN_ID, Vocabulary
from rnnkit.network import Inputs, Network
from rnnkit.sequences import Sequences, pack

__all__ = [
    "Holding",
    "Stops",
    "blocks",
    "checked_count",
    "read_prompts",
    "uniforms",
    "write_many",
]

DRAWN_AT_ONCE = 64


def checked_count(n: Any, name: str = "n", least: int = 0) -> int:
    """Return n if it is an integer of at least `least`."""
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise TypeError(f"{name} must be an integer, got {n!r}")
    if n < least:
        raise ValueError(f"{name} must be at least {least}, got {n!r}")
    return int(n)


def uniforms(seed: int) -> Iterator[float]:
    """Yield numbers of [0, 1) that follow from a seed, without end."""
    for block in blocks(seed):
        yield from block.tolist()


def blocks(seed: int) -> Iterator[np.ndarray]:
    """Yield the numbers of `uniforms`, many at once."""
    rng = np.random.RandomState(seed)
    while True:
        yield rng.random_sample(DRAWN_AT_ONCE)


@dataclass(frozen=True)
class Stops:
    """Runs of tokens after which writing stops.

    Parameters
    ----------
    runs : tuple of tuple of int
        Ids.
    """

    runs: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, stop: Any, vocabulary: Vocabulary) -> Stops:
        """Return what a user calls a stop: a token, a run of them or a list of such.

        Raises
        ------
        TypeError, ValueError
            If it is none, is empty, or holds a token that the model never writes.
        """
        if stop is None:
            return cls()
        single = (str, int, np.integer)
        given = list(stop) if _is_listed(stop) else [stop]
        if len(given) == 0:
            raise ValueError("stop must hold a token, or be None")
        runs = []
        for run in given:
            if vocabulary.token_kind == "ids":
                run = [run] if isinstance(run, single) else run
            elif vocabulary.token_kind == "words":
                run = [run.split() if isinstance(run, str) else run]
            texts = read_texts(run, vocabulary.token_kind, "stop")
            ids = tuple(vocabulary.ids(texts, "stop").tolist())
            if not ids or UNKNOWN_ID in ids:
                raise ValueError(f"stop must hold tokens seen in fit, got {stop!r:.80}")
            runs.append(ids)
        return cls(tuple(runs))

    def holding(self) -> Holding:
        """Return what holds back tokens of a text that may turn out to be a stop."""
        return Holding(self.runs)


class Holding:
    """Holds back the last tokens of a text, as many as may be the beginning of a stop.

    Attributes
    ----------
    stopped : bool
        Whether a stop was written; it is not given out.
    """

    def __init__(self, runs: tuple[tuple[int, ...], ...]) -> None:
        self._runs = runs
        self._most = max(map(len, runs), default=1) - 1
        self._held: list[int] = []
        self.stopped = False

    def take(self, token_id: int) -> list[int]:
        """Take a token; return those that can be given out."""
        held = self._held
        held.append(token_id)
        for run in self._runs:
            if tuple(held[-len(run) :]) == run:
                self.stopped = True
                del held[-len(run) :]
                return self.rest()
        n = len(held) - self._most
        ready, self._held = held[:n], held[n:]
        return ready if n > 0 else self._put_back(held)

    def _put_back(self, held: list[int]) -> list[int]:
        self._held = held
        return []

    def rest(self) -> list[int]:
        """Return what is held back, at the end of a text."""
        rest, self._held = self._held, []
        return rest


def read_prompts(prompt: Any, vocabulary: Vocabulary) -> tuple[list[list[int]], bool]:
    """Return the ids of prompts, and whether it was a list of several.

    Raises
    ------
    TypeError, ValueError
        If they are no texts as in `fit`.
    """
    if prompt is None:
        return [[]], False
    several = _is_listed(prompt)
    if several and vocabulary.form != "text" and not isinstance(prompt, Sequences):
        prompt = list(prompt)
        several = len(prompt) > 0 and _is_listed(prompt[0])
    if not several and hasattr(prompt, "__len__") and len(prompt) == 0:
        return [[]], False
    flat_words = vocabulary.token_kind == "words" and not isinstance(prompt, str) and not several
    texts = read_texts([prompt] if flat_words else prompt, vocabulary.token_kind, "prompt")
    ids = vocabulary.ids(texts, "prompt")
    bounds = zip(texts.offsets[:-1].tolist(), texts.offsets[1:].tolist())
    return [ids[a:b].tolist() for a, b in bounds], several


def _is_listed(given: Any) -> bool:
    """Whether an argument is a list, an array or a series, and no single token or text."""
    return hasattr(given, "__len__") and not isinstance(given, (str, bytes, dict, set))


def write_many(
    network: Network,
    device: str,
    vocabulary: Vocabulary,
    prompts: Sequence[list[int]],
    contexts: np.ndarray | None,
    n: int,
    choice: Choice,
    stops: Stops,
    seeds: Sequence[int],
) -> list[list[int]]:
    """Return m texts written on from prompts, as ids without prompt, stop and end.

    A text does not depend on those beside it.

    Parameters
    ----------
    network, device, vocabulary
        Of the model.
    prompts : sequence of m lists of int
    contexts : ndarray of shape (m, S), or None
    n : int
        Tokens of each at most.
    choice, stops
        How tokens are drawn, and what ends a text.
    seeds : sequence of m int
    """
    backend = get_backend(device, fall_back=True)
    writing = _Writing(len(prompts), stops)
    end = -1 if vocabulary.end is None else vocabulary.end
    dice = [blocks(seed) for seed in seeds]
    with backend.active():
        bound = network.bind(backend, constant=True)
        read = [[vocabulary.start, *prompt] for prompt in prompts]
        plan = pack(np.array([len(ids) for ids in read]))
        starts = np.cumsum([0, *map(len, read)])[:-1]
        rows = plan.rows(starts)
        ids = np.array([i for of_text in read for i in of_text], np.intp)
        numeric = None
        if contexts is not None:
            contexts = contexts[plan.order]
            numeric = contexts[plan.sequence_of_row()]
        scores = bound.forward(plan, Inputs(numeric, ids[rows][:, None]))
        last = backend.download(scores)[plan.last_rows()]
        texts, plan = plan.order, pack(np.ones(len(prompts), np.intp))  # texts of the rows
        for step in range(n):
            if step % DRAWN_AT_ONCE == 0:
                thrown = np.stack([next(of_text) for of_text in dice])
            drawn = choice.draw(last, thrown[texts, step % DRAWN_AT_ONCE], backend)
            goes_on = writing.take(texts, drawn, drawn != end)
            if step + 1 == n or not goes_on.any():
                break
            states = bound.states
            if not goes_on.all():
                kept = np.flatnonzero(goes_on)
                texts, drawn, plan = texts[kept], drawn[kept], pack(np.ones(len(kept), np.intp))
                contexts = None if contexts is None else contexts[kept]
                at = backend.upload(kept)
                states = [
                    tuple(None if array is None else array[at] for array in of_layer)
                    for of_layer in states
                ]
            inputs = Inputs(contexts, drawn[:, None])
            last = backend.download(bound.forward(plan, inputs, None, states))
    return writing.result()


class _Writing:
    """What m texts have become so far."""

    def __init__(self, m: int, stops: Stops) -> None:
        self._held = [stops.holding() for _ in range(m)] if stops.runs else None
        self._written: list[list[int]] = [[] for _ in range(m)]

    def take(self, texts: np.ndarray, ids: np.ndarray, is_token: np.ndarray) -> np.ndarray:
        """Take an id of each of some texts, of which some are tokens; return which texts go on."""
        if self._held is None:
            for text, token_id in zip(texts[is_token].tolist(), ids[is_token].tolist()):
                self._written[text].append(token_id)
            return is_token
        goes_on = is_token.copy()
        for row in np.flatnonzero(is_token).tolist():
            text = int(texts[row])
            self._written[text] += self._held[text].take(int(ids[row]))
            goes_on[row] = not self._held[text].stopped
        return goes_on

    def result(self) -> list[list[int]]:
        """Return the ids of every text."""
        if self._held is None:
            return self._written
        return [ids + held.rest() for ids, held in zip(self._written, self._held)]
