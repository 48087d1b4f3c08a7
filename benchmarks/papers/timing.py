"""Precise timing: one memory cell without any input that says something every 10 or 25 steps.

    python -m benchmarks.papers.timing [spikes-10] [spikes-10-plain] [cos-10] ... [--seeds 5]

Task: Gers, Schraudolph & Schmidhuber (2002): a network of one block, one cell, has no input and is
to go on for ever with a spike every 10 steps (after their generation of timed spikes), or with a
cosine of 10 or 25 steps (their generation of periodic functions). It learns from ten periods and is
then watched for 1,000 steps. Success is, for spikes, an error below 0.49 at every step; for a
cosine of height 1, the paper's root mean squared error with peepholes of 25 steps, 0.17, or less.
"plain" is the cell without peepholes.

What differs from the paper: in place of online steps over millions of symbols, Adam with whole
gradients on one sequence, of little more than a period at first and of ten in the end, and a fresh
start from other initial weights, 100 at most, until the ten periods are learnt well: by
themselves few starts come out of the plateau of a constant answer. "sequences" counts the passes of
all starts, "starts" the starts; which one is kept is decided on the ten periods alone. Spikes are
learnt as labels, by their likelihood. The cell's state is not squashed, as there.

Tried for the spikes with less success: squared error, a weight of nine for the spikes, ten periods
from the beginning, shorter periods first, rates of 0.1 and 0.01, a bias of 4 for the forget gate
and of -2 for the output gate, a squashed state.
"""

from functools import partial

import numpy as np

from rnnkit import LSTMSequenceRegressor, LSTMSequenceTagger

from .runner import Experiment, Outcome, run_experiments

# Periods learnt, steps beyond them, and epochs: the first stages end just behind a spike.
STAGES = ((1, 1, 1_000), (1, 2, 1_000), (1, 4, 1_000), (2, 1, 1_500), (4, 0, 1_500), (10, 0, 1_500))
EPOCHS = sum(epochs for _, _, epochs in STAGES)
STARTS = 100
# The mistake in the ten periods at which no other start is tried: a cosine that is learnt less well
# is out of step long before the thousand steps are over.
LEARNT = {"spikes": 0.1, "cos": 0.02}
N_WATCHED = 1_000
NOTHING = np.zeros((1, N_WATCHED, 1))
PAPER = {
    "spikes-10": "solved with peepholes, not without",
    "cos-10": "learnt with and without peepholes",
    "cos-25": "rmse .17 with peepholes, not learnt without",
}


def timing(seed, task, peephole):
    """Learn ten periods, from as many starts as that takes; watch a thousand steps."""
    kind, period = task.split("-")
    period = int(period)
    steps = np.arange(1, N_WATCHED + 1)
    y = steps % period == 0 if kind == "spikes" else np.cos(2 * np.pi * steps / period)
    best = np.inf
    for start in range(STARTS):
        answer = learnt(y, period, peephole, seed * STARTS + start)
        error = np.abs(answer - y)
        on_learnt = mistake(kind, error[: 10 * period])
        if on_learnt < best:
            best, kept = on_learnt, error
        if on_learnt <= LEARNT[kind]:
            break
    return Outcome(
        mistake(kind, kept) <= (0.49 if kind == "spikes" else 0.17),
        EPOCHS * (start + 1),
        {
            "starts": start + 1,
            "largest error": float(kept.max()),
            "rmse": float(np.sqrt(np.mean(kept**2))),
        },
    )


def learnt(y, period, peephole, random_state):
    """Train one network stage by stage; return what it says at each of the steps watched."""
    spikes = y.dtype == bool
    model = (LSTMSequenceTagger if spikes else LSTMSequenceRegressor)(
        1,
        peephole=peephole,
        output_activation="linear",
        learning_rate_init=3e-2,
        learning_rate="cosine",
        tol=0,
        warm_start=True,
        random_state=random_state,
    )
    for n_periods, n_more, epochs in STAGES:
        n_steps = n_periods * period + n_more
        model.set_params(max_iter=epochs, n_iter_no_change=epochs)
        model.fit(NOTHING[:, :n_steps], y[np.newaxis, :n_steps])
    return model.predict_proba(NOTHING)[0][:, 1] if spikes else model.predict(NOTHING)[0]


def mistake(kind, error):
    """Return what is compared with the limit: the largest error, or a cosine's root mean square."""
    return float(error.max() if kind == "spikes" else np.sqrt(np.mean(error**2)))


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        *(
            Experiment(
                task if peephole else f"{task}-plain",
                partial(timing, task=task, peephole=peephole),
                EPOCHS * STARTS,
                paper=paper,
            )
            for task, paper in PAPER.items()
            for peephole in (True, False)
        ),
    )
