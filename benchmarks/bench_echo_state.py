"""Echo state networks: how long forecasts stay valid, beside reservoirpy's, and a real set.

    python -m benchmarks.bench_echo_state [--seeds 5] [--units 300]

Valid time: steps of a closed loop until the error, divided by the deviation of the series, first
exceeds 0.4, as the median over the seeds. Mackey-Glass (tau 17, steps of 1) and the Lorenz system
(steps of 0.02), 3,000 steps to learn from, 100 of them washed out, each series standardized.
"default" is the estimator as constructed but for its size and washout; the others share leak,
spectral radius, input scaling and penalty. reservoirpy is left out where it is not installed.

JapaneseVowels: accuracy of the default EchoStateClassifier beside a logistic regression on the mean
of each channel and on all steps, padded with zeros, side by side.
"""

import argparse
import importlib.util
import os
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import EchoStateClassifier, EchoStateSequenceRegressor
from rnnkit.datasets import load_ts

LEARNT, WASHOUT, LOOP = 3000, 100, 1000
SHARED = dict(spectral_radius=0.9, leak=0.3, input_scaling=0.5, alpha=1e-6)


def mackey_glass(n, tau=17, fine=10):
    """x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x, by Euler steps of a tenth."""
    x = np.full((n + 500) * fine + tau * fine, 1.2)
    for t in range(tau * fine, len(x) - 1):
        past = x[t - tau * fine]
        x[t + 1] = x[t] + (0.2 * past / (1 + past**10) - 0.1 * x[t]) / fine
    return x[-n * fine :: fine, None]


def lorenz(n):
    def slope(_, s):
        return [10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]]

    times = np.arange(n + 500) * 0.02
    found = solve_ivp(slope, (0, times[-1]), [1.0, 1.0, 1.0], t_eval=times, rtol=1e-9, atol=1e-9)
    return found.y.T[500:]


def valid_steps(forecast, true):
    wrong = np.sqrt(((forecast - true) ** 2).mean(axis=1)) > 0.4
    return int(np.argmax(wrong)) if wrong.any() else len(true)


def ours(series, seed, units, **parameters):
    model = EchoStateSequenceRegressor(units, washout=WASHOUT, random_state=seed, **parameters)
    model.fit([series[: LEARNT - 1]], [series[1:LEARNT]])
    return model.forecast([series[:LEARNT]], LOOP)[0].reshape(LOOP, -1)


def theirs(series, seed, units):
    from reservoirpy.nodes import Reservoir, Ridge

    reservoir = Reservoir(
        units,
        sr=SHARED["spectral_radius"],
        lr=SHARED["leak"],
        input_scaling=SHARED["input_scaling"],
        seed=seed,
    )
    model = reservoir >> Ridge(ridge=SHARED["alpha"])
    model.fit(series[: LEARNT - 1], series[1:LEARNT], warmup=WASHOUT)
    step, said = series[:LEARNT], []
    for _ in range(LOOP):
        step = np.asarray(model.run(step))[-1:]
        said.append(step[0])
    return np.array(said)


def valid_times(n_seeds, units):
    ways = {
        "rnnkit, default": ours,
        "rnnkit, shared": lambda *told: ours(*told, **SHARED),
    }
    if importlib.util.find_spec("reservoirpy"):
        ways["reservoirpy, shared"] = theirs
    for name, series in (("Mackey-Glass", mackey_glass), ("Lorenz", lorenz)):
        values = series(LEARNT + LOOP)
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        for way, forecast in ways.items():
            steps = [
                valid_steps(forecast(values, s, units), values[LEARNT:]) for s in range(n_seeds)
            ]
            print(f"{name:13} {way:20} median {np.median(steps):6.0f} steps  {steps}")


def vowels(n_seeds):
    folder = Path(os.environ.get("RNNKIT_DATA", "../shared/data")) / "ts"
    if not (folder / "JapaneseVowels_TRAIN.ts").is_file():
        print(f"JapaneseVowels is not in {folder}")
        return
    train, test = (load_ts(folder / f"JapaneseVowels_{p}.ts") for p in ("TRAIN", "TEST"))
    (X, y), (X_test, y_test) = ((part.X, part.y) for part in (train, test))
    found = [EchoStateClassifier(random_state=s).fit(X, y).score(X_test, y_test)
             for s in range(n_seeds)]  # fmt: skip
    print(f"JapaneseVowels EchoStateClassifier, default: {np.round(found, 3).tolist()}")
    longest = max(len(x) for x in [*X, *X_test])
    for name, row in (
        ("means", lambda x: np.mean(x, axis=0)),
        ("all steps", lambda x: np.pad(x, ((0, longest - len(x)), (0, 0))).ravel()),
    ):
        rows, rows_test = ([row(np.asarray(x)) for x in part] for part in (X, X_test))
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(rows, y)
        print(f"JapaneseVowels logistic regression of {name}: {model.score(rows_test, y_test):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--units", type=int, default=300)
    given = parser.parse_args()
    valid_times(given.seeds, given.units)
    vowels(given.seeds)
