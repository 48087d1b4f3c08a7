"""A sine wave in closed loop: a thousand steps on the network's own output, printed and drawn.

    python -m benchmarks.papers.sine [--seeds 8]

Task: the time sequence prediction example of PyTorch: waves sin(t / 20) of 1,000 steps, 97 to
train on and 3 to continue. Success is a root mean squared error of at most 0.05 over the 1,000
steps that follow. Where matplotlib is installed, seed 0 draws its waves to
benchmarks/results/sine.png.

What differs from the example: one layer of 51 units instead of two, Adam in windows of 100 steps
instead of L-BFGS over whole waves, and noise of standard deviation 0.1 on what the network reads:
it learns not to trust the last value alone, and so its own errors fade in closed loop. "Sequences"
count every wave in every epoch.
"""

import numpy as np

from benchmarks.harness import RESULTS
from rnnkit import LSTMSequenceRegressor
from rnnkit.datasets import make_sine_waves

from .runner import Experiment, Outcome, run_experiments

N_TEST = 3
N_KNOWN = 1000
N_AHEAD = 1000
EPOCHS = 120
GOAL = 0.05


def sine(seed):
    """Train on next values, then go on from the end of the test waves."""
    waves = make_sine_waves(100, N_KNOWN + N_AHEAD, random_state=seed)
    known, truth = waves[:, :N_KNOWN, np.newaxis], waves[:N_TEST, N_KNOWN:]
    train = known[N_TEST:]
    model = LSTMSequenceRegressor(
        51,
        learning_rate_init=1e-2,
        learning_rate="cosine",
        batch_size=len(train),
        bptt_steps=100,
        input_noise=0.1,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=seed,
    )
    model.fit(train[:, :-1], train[:, 1:, 0])
    forecast = model.forecast(known[:N_TEST], N_AHEAD)
    error = float(np.sqrt(np.mean((forecast - truth) ** 2)))
    if seed == 0:
        draw(waves[:N_TEST], forecast)
    return Outcome(error <= GOAL, EPOCHS * len(train), {"rmse": error})


def draw(waves, forecast):
    """Draw the end of what was shown, the truth and the forecast, where matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(10, 5), layout="constrained")
    panels = figure.subplots(len(waves), sharex=True)
    ahead = np.arange(N_KNOWN, N_KNOWN + N_AHEAD)
    shown = np.arange(N_KNOWN - 200, N_KNOWN)
    for panel, wave, predicted in zip(panels, waves, forecast):
        panel.plot(shown, wave[shown], color="black", label="shown")
        panel.plot(ahead, wave[ahead], color="lightgray", linewidth=4, label="truth")
        panel.plot(ahead, predicted, color="tab:red", linewidth=1, label="forecast")
        panel.axvline(N_KNOWN, color="gray", linewidth=0.5)
        panel.set_ylabel("value")
    panels[0].set_title("LSTM, 51 units: 1,000 steps on its own output")
    panels[-1].set_xlabel("step")
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=3)
    figure.savefig(RESULTS / "sine.png", dpi=120)


if __name__ == "__main__":
    limit = EPOCHS * (100 - N_TEST)
    run_experiments(__doc__.split("\n")[0], Experiment("sine", sine, limit, seeds=8))
