"""The networks of a forecaster: trained on what each does not leave out, asked for what comes next.

Letters: N windows, W steps of each, F features, S steps ahead, K channels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit.estimators.encoder_decoder.model import (
    GRUEncoderDecoder,
    LSTMEncoderDecoder,
    RNNEncoderDecoder,
)
from rnnkit.estimators.forecasting.steps import Steps, Windows
from rnnkit.estimators.sequence_regressor import (
    GRUSequenceRegressor,
    LSTMSequenceRegressor,
    RNNSequenceRegressor,
)

__all__ = ["Member", "answer", "left_out", "roll", "train", "worth"]

CELLS: dict[str, Any] = {
    "rnn": RNNSequenceRegressor,
    "lstm": LSTMSequenceRegressor,
    "gru": GRUSequenceRegressor,
}
WRITERS: dict[str, Any] = {
    "rnn": RNNEncoderDecoder,
    "lstm": LSTMEncoderDecoder,
    "gru": GRUEncoderDecoder,
}
SINGLE = 0.2  # the last part that a single network leaves out

Watched = Callable[[Any], AbstractContextManager[None]]


@dataclass(frozen=True)
class Member:
    """A trained network, and what it says of windows.

    Parameters
    ----------
    network : estimator
        A sequence regressor, which says S steps at each step of a window; or an encoder-decoder,
        which writes them, one by one, at the last.
    written : ndarray of shape (2, S, K) or None
        Of an encoder-decoder: the mean and unit of what it learnt to write, by steps ahead.
    is_correction : bool, default=False
        Whether it corrects what smoothing says, and without it there would be no correction;
        otherwise the mean of what it learnt would count.
    """

    network: Any
    written: np.ndarray | None = None
    is_correction: bool = False

    @property
    def usual(self) -> np.ndarray:
        """What counts in any case, (S·K,)."""
        return np.zeros(self.center.size) if self.is_correction else self.center

    @property
    def center(self) -> np.ndarray:
        """The mean of what it learnt to say, (S·K,)."""
        if self.written is None:
            return np.asarray(self.network.network_.output.center)
        return np.asarray(self.written[0].ravel())

    @property
    def scale(self) -> np.ndarray:
        """The unit of what it learnt to say, (S·K,)."""
        if self.written is None:
            return np.asarray(self.network.network_.output.scale)
        return np.asarray(self.written[1].ravel())

    def said(self, X: list[np.ndarray]) -> list[np.ndarray]:
        """Return what it says at each step of windows, (W_i, S·K); NaN where it says nothing."""
        if self.written is None:
            answers = [np.asarray(said, np.float64) for said in self.network.predict(X)]
            return [said.reshape(len(x), -1) for x, said in zip(X, answers)]
        found = []
        for x, steps in zip(X, self.network.predict(X, n_steps=self.written.shape[1])):
            said = np.full((len(x), self.center.size), np.nan)
            said[-1] = self.center + self.scale * np.asarray(steps, np.float64).ravel()
            found.append(said)
        return found


def left_out(times: np.ndarray, member: int, n_members: int) -> np.ndarray:
    """Return which answers, by when they come true, one of the networks leaves out."""
    if n_members == 1:
        return times >= 1 - SINGLE
    out: np.ndarray = (times >= member / n_members) & (times < (member + 1) / n_members)
    return out


def train(
    cell: str,
    strategy: str,
    parameters: dict[str, Any],
    seeds: list[int],
    windows: Windows,
    dtype: str,
    watched: Watched = nullcontext,
    *,
    is_correction: bool = False,
) -> list[Member]:
    """Return a trained network for each seed.

    Parameters
    ----------
    cell : str
    strategy : {"direct", "recursive", "encoder-decoder"}
    parameters : dict
        Those of the network.
    seeds : list of int
    windows : Windows
        Of an encoder-decoder those that answer at their last step alone.
    dtype : str
    watched : callable, default=nullcontext
        Gives the context in which a network is fitted.
    is_correction : bool, default=False
        As of `Member`.

    Raises
    ------
    ValueError
        If the series are too short for so many parts, or the loss stopped being finite.
    """
    members = []
    for number, seed in enumerate(seeds):
        divided = _divided(windows, number, len(seeds))
        if any(np.isnan(np.concatenate(part)).all() for part in divided):
            raise ValueError(
                "sample_weight must be above 0 at steps enough for each of "
                f"n_estimators={len(seeds)} networks to learn from some and leave out others"
            )
        writes = strategy == "encoder-decoder"
        network = (WRITERS if writes else CELLS)[cell](**parameters, random_state=seed)
        with warnings.catch_warnings(), watched(network):
            # The part that is left out says when to stop, which may be at the very beginning.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = _fit_writer if writes else _fit_steps
            member = fit(network, windows, *divided, dtype)
            members.append(replace(member, is_correction=is_correction))
        if not np.isfinite(network.network_.parameters.flat).all():
            raise ValueError(
                "the loss stopped being finite; try a smaller learning_rate_init, got "
                f"{parameters['learning_rate_init']!r}"
            )
    return members


def _divided(
    windows: Windows, member: int, n_members: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the answers that a network learns, and those that it leaves out, each (W_i, S·K).

    A step with an answer in the part that is left out is not learnt from at all: its other answers
    would tell of it, since neighbouring steps ahead go together. Only where no step would be left
    for some step ahead, its answers outside of the part are learnt.
    """
    plain, strict, held = [], [], []
    for targets, times in zip(windows.targets, windows.times):
        out = np.repeat(left_out(times, member, n_members), targets.shape[2], axis=1)
        flat = targets.reshape(len(targets), -1)
        held.append(np.where(out, flat, np.nan))
        plain.append(np.where(out, np.nan, flat))
        touched = (out & ~np.isnan(flat)).any(axis=1, keepdims=True)
        strict.append(np.where(touched, np.nan, flat))
    empty = np.isnan(np.concatenate(strict)).all(axis=0)
    return [np.where(empty, a, b) for a, b in zip(plain, strict)], held


def _fit_steps(
    network: Any, windows: Windows, learnt: list[np.ndarray], held: list[np.ndarray], dtype: str
) -> Member:
    """Train a network that says S steps at each step of a window."""
    X, y, weights = _with_answers(windows, learnt, dtype)
    network.fit(
        X, y, sample_weight=weights, validation_data=_with_answers(windows, held, dtype)[:2]
    )
    return Member(network)


def _with_answers(
    windows: Windows, targets: list[np.ndarray], dtype: str
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray] | None]:
    """Return the windows that have an answer, those, and how much each step counts, or None."""
    kept = [i for i, target in enumerate(targets) if not np.isnan(target).all()]
    X = [windows.inputs[i].astype(dtype) for i in kept]
    weights = None
    if windows.weights is not None:
        weights = [_of_steps(windows.weights[i], targets[i]) for i in kept]
    return X, [targets[i] for i in kept], weights


def _of_steps(weights: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the mean weight (W,) of the answers that each step has, of those (W, S) of all."""
    n_steps = weights.shape[1]
    has = ~np.isnan(targets.reshape(len(targets), n_steps, -1)).all(axis=2)
    mean: np.ndarray = (weights * has).sum(axis=1) / np.maximum(has.sum(axis=1), 1)
    return mean


def _fit_writer(
    network: Any, windows: Windows, learnt: list[np.ndarray], held: list[np.ndarray], dtype: str
) -> Member:
    """Train an encoder-decoder: each window is read whole, and the steps after it are written.

    What is written has no gaps: of its answers a window has those before the first that is not
    known, or left out.
    """
    n_steps = windows.times[0].shape[1]
    shape = (len(learnt), n_steps, learnt[0].shape[1] // n_steps)
    answers = np.stack([steps[-1] for steps in learnt]).reshape(shape)
    known = answers[~np.isnan(answers).all(axis=(1, 2))]
    center = np.nanmean(known, axis=0)
    spread = np.nanstd(known, axis=0)
    scale = np.where(spread > 0, spread, 1.0)

    def written(targets: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray], Any]:
        X, y, weights = [], [], []
        for number, steps in enumerate(targets):
            values = steps[-1].reshape(shape[1:])
            gaps = np.isnan(values).any(axis=1)
            n = int(np.argmax(gaps)) if gaps.any() else n_steps
            if n:
                X.append(windows.inputs[number].astype(dtype))
                y.append(((values - center) / scale)[:n].astype(dtype))
                if windows.weights is not None:
                    weights.append(windows.weights[number][-1, :n].mean())
        return X, y, np.array(weights) if weights else None

    X, y, weights = written(learnt)
    network.fit(X, y, sample_weight=weights, validation_data=written(held)[:2])
    return Member(network, np.stack([center, scale]))


def answer(
    members: list[Member], inputs: list[np.ndarray], dtype: str, weight: float
) -> list[np.ndarray]:
    """Return the mean answer of networks at each step of windows, a list of (W_i, S·K).

    Of each network's departure from what is usual the share `weight` counts.
    """
    X = [x.astype(dtype) for x in inputs]
    result = [0.0] * len(X)
    for member in members:
        usual = member.usual
        for i, said in enumerate(member.said(X)):
            result[i] = result[i] + (usual + weight * (said - usual)) / len(members)
    return [np.asarray(steps) for steps in result]


def worth(members: list[Member], windows: Windows, dtype: str, n_own: float) -> float:
    """Return the share of networks' departures from what is usual that counts, in [0, 1].

    It is the slope of what came true on what was said, where it was left out, times one minus the
    inverse of its F statistic: few steps cannot show that a network knows more than that.

    Parameters
    ----------
    members : list of Member
    windows : Windows
    dtype : str
    n_own : float
        How many of the answers do not overlap.
    """
    both = squares = truth = 0.0
    for number, member in enumerate(members):
        usual, scale = member.usual, member.scale
        given = answer([member], windows.inputs, dtype, 1.0)
        for i, said in enumerate(given):
            targets, times = windows.targets[i], windows.times[i]
            true = (targets.reshape(said.shape) - usual) / scale
            out = np.repeat(left_out(times, number, len(members)), targets.shape[2], axis=1)
            out &= ~np.isnan(true)
            a, b = true[out], ((said - usual) / scale)[out]
            if windows.weights is None:
                both += float((a * b).sum())
                squares += float((b * b).sum())
                truth += float((a * a).sum())
            else:
                w = np.repeat(windows.weights[i], targets.shape[2], axis=1)[out]
                both += float((w * a * b).sum())
                squares += float((w * b * b).sum())
                truth += float((w * a * a).sum())
    if both <= 0:
        return 0.0
    slope = min(both / squares, 1.0)
    explained = slope * (2 * both - slope * squares)  # by how much the squared error is smaller
    rest = truth - explained
    if rest <= 0:
        return slope
    return slope * max(0.0, 1 - rest / (n_own * explained))


def roll(
    members: list[Member],
    series: list[Steps],
    window: int,
    n_steps: int,
    dtype: str,
    weight: float,
) -> list[np.ndarray]:
    """Return how series go on, step after step, each answer read like an observation.

    Parameters
    ----------
    members : list of Member
        Networks that say the next step.
    series : list of Steps
        Up to where each goes on; `known` has `n_steps` more steps.
    window : int
    n_steps : int
    dtype : str
    weight : float
        As for `answer`.

    Returns
    -------
    list of ndarray of shape (S, K)
        Values without season and unit.
    """
    paths = [steps.z for steps in series]
    for _ in range(n_steps):
        grown = [replace(steps, z=z) for z, steps in zip(paths, series)]
        given = answer(members, [steps.inputs()[-window:] for steps in grown], dtype, weight)
        for i, steps in enumerate(grown):
            base = steps.base(1, np.array([len(steps.z) - 1]))[0]
            paths[i] = np.concatenate([steps.z, base + given[i][-1:]])
    return [path[len(steps.z) :] for path, steps in zip(paths, series)]
