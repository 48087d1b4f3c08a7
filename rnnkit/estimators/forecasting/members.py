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

__all__ = ["answer", "left_out", "roll", "train"]

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


def answer(members: list[Any], inputs: list[np.ndarray], dtype: str) -> list[np.ndarray]:
    """Return the mean answer of networks at each step of windows, a list of (W_i, S·K)."""
    X = [x.astype(dtype) for x in inputs]
    each = [member.predict(X) for member in members]
    return [
        np.mean([np.asarray(given[i], np.float64) for given in each], axis=0).reshape(len(x), -1)
        for i, x in enumerate(inputs)
    ]


def roll(
    members: list[Any], series: list[Steps], window: int, n_steps: int, dtype: str
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

    Returns
    -------
    list of ndarray of shape (S, K)
        Values without season and unit.
    """
    paths = [steps.z for steps in series]
    for _ in range(n_steps):
        grown = [replace(steps, z=z) for z, steps in zip(paths, series)]
        given = answer(members, [steps.inputs()[-window:] for steps in grown], dtype)
        for i, steps in enumerate(grown):
            base = steps.base(1, np.array([len(steps.z) - 1]))[0]
            paths[i] = np.concatenate([steps.z, base + given[i][-1:]])
    return [path[len(steps.z) :] for path, steps in zip(paths, series)]
