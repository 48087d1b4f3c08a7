"""Precise timing: one memory cell without any input that says something every 10 or 25 steps.

    python -m benchmarks.papers.timing [spikes-10] [spikes-10-plain] [cos-10] ... [--seeds 10]

Task: Gers, Schraudolph & Schmidhuber (2002): a network of one block, one cell, has no input and is
to go on for ever with a spike every 10 steps (after their generation of timed spikes), or with a
cosine of 10 or 25 steps (their generation of periodic functions). It learns from ten periods and is
then watched for 1,000 steps. Success is, for spikes, an error below 0.49 at every step; for a
cosine of height 1, the paper's root mean squared error with peepholes of 25 steps, 0.17, or less.
"plain" is the cell without peepholes.

What differs from the paper: in place of online steps over millions of symbols, Adam with whole
gradients on one sequence, of one period at first and of ten in the end; "sequences" counts these.
The cell's state is not squashed, as there.

Tried for the spikes without gain, on four seeds each: nine times the weight on the spikes, ten
periods from the beginning, biases of 4 for the forget gate and -2 for the output gate, a squashed
state.
"""

from functools import partial

import numpy as np

from rnnkit import LSTMSequenceRegressor

from .runner import Experiment, Outcome, run_experiments

STAGES = ((1, 1_500), (2, 1_500), (4, 1_500), (10, 2_000))  # periods learnt, and epochs
EPOCHS = sum(epochs for _, epochs in STAGES)
N_WATCHED = 1_000
PAPER = {
    "spikes-10": "solved with peepholes, not without",
    "cos-10": "learnt with and without peepholes",
    "cos-25": "rmse .17 with peepholes, not learnt without",
}


def timing(seed, task, peephole):
    """Learn ten periods, watch a thousand steps."""
    kind, period = task.split("-")
    steps = np.arange(1, N_WATCHED + 1)
    y = {
        "spikes": (steps % int(period) == 0).astype(float),
        "cos": np.cos(2 * np.pi * steps / int(period)),
    }[kind]
    nothing = np.zeros((1, N_WATCHED, 1))
    model = LSTMSequenceRegressor(
        1,
        peephole=peephole,
        output_activation="linear",
        learning_rate_init=3e-2,
        learning_rate="cosine",
        tol=0,
        warm_start=True,
        random_state=seed,
    )
    for n_periods, epochs in STAGES:
        n_steps = n_periods * int(period)
        model.set_params(max_iter=epochs, n_iter_no_change=epochs)
        model.fit(nothing[:, :n_steps], y[np.newaxis, :n_steps])
    error = np.abs(model.predict(nothing)[0] - y)
    rmse = float(np.sqrt(np.mean(error**2)))
    reached = error.max() < 0.49 if kind == "spikes" else rmse <= 0.17
    return Outcome(bool(reached), EPOCHS, {"largest error": float(error.max()), "rmse": rmse})


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        *(
            Experiment(
                task if peephole else f"{task}-plain",
                partial(timing, task=task, peephole=peephole),
                EPOCHS,
                paper=paper,
            )
            for task, paper in PAPER.items()
            for peephole in (True, False)
        ),
    )
