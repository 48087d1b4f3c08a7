"""The networks of a forecaster: trained on what each does not leave out, asked for what comes next.

Letters: N windows, W steps of each, F features, S steps ahead, K channels.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from rnnkit.estimators.forecasting.steps import Steps, Windows
from rnnkit.estimators.sequence_regressor import (
    GRUSequenceRegressor,
    LSTMSequenceRegressor,
    RNNSequenceRegressor,
)

__all__ = ["answer", "left_out", "roll", "train", "worth"]

CELLS: dict[str, Any] = {
    "rnn": RNNSequenceRegressor,
    "lstm": LSTMSequenceRegressor,
    "gru": GRUSequenceRegressor,
}
SINGLE = 0.2  # the last part that a single network leaves out


def left_out(times: np.ndarray, member: int, n_members: int) -> np.ndarray:
    """Return which answers, by when they come true, one of the networks leaves out."""
    if n_members == 1:
        return times >= 1 - SINGLE
    out: np.ndarray = (times >= member / n_members) & (times < (member + 1) / n_members)
    return out


def train(
    cell: str, parameters: dict[str, Any], seeds: list[int], windows: Windows, dtype: str
) -> list[Any]:
    """Return a fitted network for each seed.

    Parameters
    ----------
    cell : str
    parameters : dict
        Those of the network.
    seeds : list of int
    windows : Windows
    dtype : str

    Raises
    ------
    ValueError
        If the series are too short for so many parts, or the loss stopped being finite.
    """
    members = []
    for number, seed in enumerate(seeds):
        learnt, held = _divided(windows, number, len(seeds))
        network = CELLS[cell](**parameters, random_state=seed)
        with warnings.catch_warnings():
            # The part that is left out says when to stop, which may be at the very beginning.
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(
                *_with_answers(windows.inputs, learnt, dtype),
                validation_data=_with_answers(windows.inputs, held, dtype),
            )
        if not np.isfinite(network.network_.parameters.flat).all():
            raise ValueError(
                "the loss stopped being finite; try a smaller learning_rate_init, got "
                f"{parameters['learning_rate_init']!r}"
            )
        members.append(network)
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


def _with_answers(
    inputs: list[np.ndarray], targets: list[np.ndarray], dtype: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the windows that have an answer, and those."""
    kept = [i for i, target in enumerate(targets) if not np.isnan(target).all()]
    X = [inputs[i].astype(dtype) for i in kept]
    return X, [targets[i] for i in kept]


def answer(
    members: list[Any], inputs: list[np.ndarray], dtype: str, weight: float
) -> list[np.ndarray]:
    """Return the mean answer of networks at each step of windows, a list of (W_i, S·K).

    Of each network's departure from the mean of what it learnt the share `weight` counts.
    """
    X = [x.astype(dtype) for x in inputs]
    result = [0.0] * len(X)
    for member in members:
        usual = np.asarray(member.network_.output.center)
        for i, said in enumerate(member.predict(X)):
            departure = np.asarray(said, np.float64).reshape(len(X[i]), -1) - usual
            result[i] = result[i] + (usual + weight * departure) / len(members)
    return [np.asarray(steps) for steps in result]


def worth(members: list[Any], windows: Windows, dtype: str, n_own: float) -> float:
    """Return the share of networks' departures from the mean that counts, in [0, 1].

    It is the slope of what came true on what was said, where it was left out, times one minus the
    inverse of its F statistic: few steps cannot show that a network knows more than the mean.

    Parameters
    ----------
    members : list
    windows : Windows
    dtype : str
    n_own : float
        How many of the answers do not overlap.
    """
    both = squares = truth = 0.0
    n = 0
    for number, member in enumerate(members):
        output = member.network_.output
        center, scale = np.asarray(output.center), np.asarray(output.scale)
        given = answer([member], windows.inputs, dtype, 1.0)
        for said, targets, times in zip(given, windows.targets, windows.times):
            true = (targets.reshape(said.shape) - center) / scale
            out = np.repeat(left_out(times, number, len(members)), targets.shape[2], axis=1)
            out &= ~np.isnan(true)
            a, b = true[out], ((said - center) / scale)[out]
            both += float((a * b).sum())
            squares += float((b * b).sum())
            truth += float((a * a).sum())
            n += a.size
    if both <= 0:
        return 0.0
    slope = min(both / squares, 1.0)
    explained = slope * (2 * both - slope * squares)  # by how much the squared error is smaller
    rest = truth - explained
    if rest <= 0:
        return slope
    return slope * max(0.0, 1 - rest / (n_own * explained))


def roll(
    members: list[Any],
    series: list[Steps],
    window: int,
    n_steps: int,
    dtype: str,
    weight: float,
) -> list[np.ndarray]:
    """Return how series go on, step after step, each answer read like an observation.

    Parameters
    ----------
    members : list
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
