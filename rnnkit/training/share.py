"""A rank's share of minibatches that are cut from the sequences of all ranks together.

Every rank knows how long every sequence is, what it weighs, and in which order an epoch visits
them; of the steps it has those of its own sequences alone. So all cut the same minibatches as one
machine that has all, and each computes its own part of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rnnkit.network import (
    CharacterEncoder,
    EncoderDecoder,
    Inputs,
    Network,
    RecurrentBoltzmann,
)
from rnnkit.network.bound import BoundNetwork
from rnnkit.sequences import Batch, batch_of, pack, windows

__all__ = ["JoinedBatch", "Share", "SharedNoise"]


@dataclass(frozen=True, eq=False)
class Share:
    """Which of the n sequences of all ranks are those of a rank's `TrainingData`.

    Parameters
    ----------
    lengths : ndarray of shape (n,), intp
        Steps of the sequences of all ranks; the same on all of them.
    places : ndarray of shape (n_own,), intp
        Which of them the rank has, in the order of its data; ascending.
    weights : ndarray of shape (n,), float64
        Sum of the weights of each sequence's targets.
    rank : int, default=0
        Which rank this is: where it draws noise by itself, it draws other noise than the others.
    """

    lengths: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    rank: int = 0

    def most_rows(self, batch_size: int) -> int:
        """Return the steps that a minibatch of all ranks may have: if the longest meet."""
        n = min(batch_size, len(self.lengths))
        return int(np.partition(self.lengths, -n)[-n:].sum())

    def minibatches(
        self, offsets: np.ndarray, batch_size: int, rng: np.random.RandomState | None
    ) -> Iterator[JoinedBatch]:
        """Cut the sequences of all ranks into minibatches, as `rnnkit.sequences.minibatches` does.

        Parameters
        ----------
        offsets : ndarray of shape (n_own + 1,), intp
            Of the rank's own sequences.
        batch_size : int
            Sequences of a minibatch of all ranks.
        rng : RandomState or None
            Shuffles; None keeps the order.
        """
        n = len(self.lengths)
        order = np.arange(n) if rng is None else rng.permutation(n)
        own_place = self._own_places()
        for start in range(0, n, batch_size):
            yield self._batch(offsets, order[start : start + batch_size], own_place)

    def everything(self, offsets: np.ndarray) -> JoinedBatch:
        """Return the minibatch of all sequences."""
        return self._batch(offsets, np.arange(len(self.lengths)), self._own_places())

    def _own_places(self) -> np.ndarray:
        """Return where each sequence of all ranks stands in the rank's data; -1 if it does not."""
        own_place = np.full(len(self.lengths), -1, np.intp)
        own_place[self.places] = np.arange(len(self.places))
        return own_place

    def _batch(self, offsets: np.ndarray, chosen: np.ndarray, own_place: np.ndarray) -> JoinedBatch:
        own = own_place[chosen]
        is_own = own >= 0
        weight = float(self.weights[chosen].sum())
        return JoinedBatch(batch_of(offsets, own[is_own]), weight, self.lengths[chosen], is_own)


@dataclass(frozen=True, eq=False)
class JoinedBatch:
    """A minibatch of all ranks, as one of them sees it.

    Parameters
    ----------
    own : Batch
        The rank's part of it, which may be empty.
    weight : float
        Sum of the weights of the whole.
    lengths : ndarray of shape (B,), intp
        Of all its sequences.
    is_own : ndarray of shape (B,), bool
        Which of them the rank has.
    """

    own: Batch
    weight: float
    lengths: np.ndarray
    is_own: np.ndarray


class SharedNoise:
    """What a pass over a rank's part of a minibatch draws from.

    Where that is possible, it draws for the whole minibatch and gives what belongs to the part: a
    step or a sequence then has the masks that it has on one machine, whichever rank has it, and
    drawing takes every rank as long as one machine. Else every rank draws by itself, in each epoch
    from a stream of its own.

    Parameters
    ----------
    bound : BoundNetwork
        What draws: a pass over a sequence of two steps shows in which order it draws for steps
        and for sequences.
    share : Share
    inputs : Inputs
        Of the rank's data.
    is_whole : bool
        Whether a pass is over all of a rank's part of a minibatch, or of a window of it, not over
        pieces.
    n_steps : int, default=None
        Steps of the windows that a minibatch is cut into; None: it is not.
    """

    def __init__(
        self,
        bound: BoundNetwork,
        share: Share,
        inputs: Inputs,
        is_whole: bool,
        n_steps: int | None = None,
    ) -> None:
        self._rank = share.rank
        self._draws: list[_Draw] | None = None
        if is_whole and _draws_for_rows(bound.network):
            self._draws = _draws_of(bound, inputs)
        self._n_steps = n_steps
        self._noise: Any = None
        self._batch: JoinedBatch | None = None
        self._next = 0  # of the draws of a minibatch
        self._passes: list[tuple[np.ndarray, np.ndarray]] = []

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Begin the stream of an epoch, where each rank draws by itself."""
        if self._draws is None:
            stream = np.random.SeedSequence((seed, epoch, self._rank))
            self._noise = np.random.Generator(np.random.Philox(stream))

    def of(self, noise: np.random.Generator, batch: JoinedBatch) -> Any:
        """Return what a pass over a minibatch's own part draws from; `noise` is all ranks'."""
        if self._draws is None:
            return self._noise
        self._noise, self._batch = noise, batch
        self._next = 0
        self._passes = []
        return self

    def finish(self) -> None:
        """Draw what passes would have drawn that a rank's part, empty or shorter, did without."""
        if self._draws:
            self._plan()
            while self._next < len(self._passes) * len(self._draws):
                self._draw()

    def random(self, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
        """Draw as `numpy.random.Generator.random` does."""
        return self._draw()

    def standard_normal(self, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
        """Draw as `numpy.random.Generator.standard_normal` does."""
        return self._draw()

    def _draw(self) -> np.ndarray:
        """Draw for all of the minibatch's rows, or sequences; return those of the rank's own."""
        assert self._draws is not None
        self._plan()
        number, place = divmod(self._next, len(self._draws))
        self._next += 1
        draw, (rows, sequences) = self._draws[place], self._passes[number]
        kept = rows if draw.is_for_steps else sequences
        function = getattr(self._noise, draw.function)
        drawn: np.ndarray = function((len(kept), *draw.shape), dtype=draw.dtype)[kept]
        return drawn

    def _plan(self) -> None:
        """Find which rows, and which sequences, of each pass are the rank's own."""
        if self._passes:
            return
        assert self._batch is not None
        plan = pack(self._batch.lengths)
        sequences = self._batch.is_own[plan.order]
        rows = sequences[plan.sequence_of_row()]
        if self._n_steps is None:
            self._passes = [(rows, sequences)]
            return
        cuts = windows(plan, self._n_steps)
        self._passes = [(rows[first:last], sequences[:n]) for _, first, last, n in cuts]


class _Draw(NamedTuple):
    """What is drawn in a forward pass: for each step or for each sequence, so many numbers."""

    function: str
    is_for_steps: bool
    shape: tuple[int, ...]
    dtype: Any


class _Recorder:
    """Notes what a pass over a single sequence of two steps draws."""

    def __init__(self) -> None:
        self.draws: list[_Draw] = []

    def random(self, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
        self.draws.append(_Draw("random", shape[0] == 2, shape[1:], dtype))
        return np.full(shape, 0.5, dtype)

    def standard_normal(self, shape: tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
        self.draws.append(_Draw("standard_normal", shape[0] == 2, shape[1:], dtype))
        return np.zeros(shape, dtype)


def _draws_for_rows(network: Network) -> bool:
    """Whether all that a network draws is for the steps or the sequences of a minibatch."""
    parts = getattr(network.layers[0], "parts", ())
    spells = any(isinstance(part, CharacterEncoder) for part in parts)
    return not (isinstance(network, (EncoderDecoder, RecurrentBoltzmann)) or spells)


def _draws_of(bound: BoundNetwork, inputs: Inputs) -> list[_Draw]:
    """Return what a forward pass draws, in its order."""
    recorder: Any = _Recorder()
    numeric, tokens = inputs.numeric, inputs.tokens
    if numeric is not None:
        numeric = np.zeros((2, numeric.shape[1]), numeric.dtype)
    if tokens is not None:
        tokens = np.zeros((2, tokens.shape[1]), tokens.dtype)
    bound.forward(pack(np.array([2])), Inputs(numeric, tokens), recorder)
    draws: list[_Draw] = recorder.draws
    return draws
