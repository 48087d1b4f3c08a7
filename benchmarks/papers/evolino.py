"""Evolino: sums of two to five sines, continued alone, as in the paper.

    python -m benchmarks.papers.evolino [sines-2 sines-3 sines-4 sines-5] [--seeds 10]

Task (Schmidhuber, Wierstra, Gagliolo & Gomez 2007): sin(.2 t) + sin(.311 t) + sin(.42 t) +
sin(.51 t) + sin(.74 t), the first two to all five of them. 400 steps are learnt from, the first 100
as washout; then the network goes on alone for 300 steps. Told is the root mean squared error over
the standard deviation; success is the paper's figure. Cells and generations are the paper's: 10,
15, 20 and 20 memory cells, 50 generations.

What differs: the weights of the inputs begin at 1e-4, so that cells are nearly linear, found by
looking at these series; the cell has the usual gates. "Sequences" count every candidate. Beside it
an echo state network and an LSTM trained by gradients, both with defaults but for the washout.
"""

import numpy as np

from rnnkit import EchoStateSequenceRegressor, EvolinoSequenceRegressor, LSTMSequenceRegressor

from .runner import Experiment, Outcome, run_experiments

RATES = (0.2, 0.311, 0.42, 0.51, 0.74)
N_KNOWN, WASHOUT, N_AHEAD = 400, 100, 300
CELLS = {2: 10, 3: 15, 4: 20, 5: 20}
PAPER = {2: 4.15e-3, 3: 8.04e-3, 4: 0.110, 5: 0.166}


def continued(model, wave):
    """Return how far a forecast is off, in standard deviations of what follows."""
    model.fit([wave[:N_KNOWN]], [wave[1 : N_KNOWN + 1]])
    missed = model.forecast([wave[: N_KNOWN + 1]], N_AHEAD)[0] - wave[N_KNOWN + 1 :]
    return float(np.sqrt(np.mean(missed**2)) / wave[N_KNOWN + 1 :].std())


def sines(n):
    """Return the experiment on a sum of n sines."""
    t = np.arange(1, N_KNOWN + N_AHEAD + 2)
    wave = np.sum([np.sin(rate * t) for rate in RATES[:n]], axis=0)

    def run(seed):
        model = EvolinoSequenceRegressor(
            CELLS[n], input_scaling=1e-4, forget_bias=0.0, washout=WASHOUT, random_state=seed
        )
        figures = {
            "evolino": continued(model, wave),
            "echo state": continued(
                EchoStateSequenceRegressor(washout=WASHOUT, random_state=seed), wave
            ),
            "by gradients": continued(LSTMSequenceRegressor(random_state=seed), wave),
        }
        tried = model.population * model.generations
        return Outcome(figures["evolino"] <= PAPER[n], tried, figures)

    return run


EXPERIMENTS = [Experiment(f"sines-{n}", sines(n), 2000, paper=f"error {PAPER[n]:g}") for n in CELLS]

if __name__ == "__main__":
    run_experiments(__doc__.splitlines()[0], *EXPERIMENTS)
