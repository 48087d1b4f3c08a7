"""How much the memory of a process grows over many fits.

python tests/reliability/flat_memory.py               # 1,000 fits
python tests/reliability/flat_memory.py --fits 100

Each round trains, asks, pickles, copies and forgets another small estimator; what the process holds
after the first tenth of the rounds is where the growth is counted from.
"""

import argparse
import copy
import gc
import os
import pickle
import sys
import warnings

import numpy as np

import rnnkit

RNG = np.random.RandomState(0)
X = [RNG.randn(t, 2) for t in RNG.randint(2, 7, 12)]
TASKS = {
    "Classifier": np.arange(12) % 2,
    "Regressor": np.arange(12.0),
    "SequenceTagger": [(x[:, 0] > 0).astype(int) for x in X],
    "SequenceRegressor": [x.sum(axis=1) for x in X],
}
KINDS = [cell + task for cell in ("RNN", "LSTM", "GRU") for task in TASKS]
LIMIT = 1.0  # MB


def resident() -> int:
    """Return the bytes of this process that lie in memory."""
    with open("/proc/self/statm", encoding="ascii") as statistics:
        return int(statistics.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cycle(number: int) -> None:
    """Train an estimator in every way, ask it, and forget it."""
    kind = KINDS[number % len(KINDS)]
    y = TASKS[kind.removeprefix("RNN").removeprefix("LSTM").removeprefix("GRU")]
    model = getattr(rnnkit, kind)(4, max_iter=2, batch_size=5, random_state=number % 7)
    model.fit(X, y).predict(X)
    model.partial_fit(X, y)
    copy.deepcopy(model).hidden_states(X)
    pickle.loads(pickle.dumps(model)).stream().step(X[0][0])


def growth(n: int) -> float:
    """Return by how many MB the process grew over n rounds."""
    for number in range(max(n // 10, 2 * len(KINDS))):
        cycle(number)
    gc.collect()
    before = resident()
    for number in range(n):
        cycle(number)
    gc.collect()
    return (resident() - before) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fits", type=int, default=1000)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    grown = growth(arguments.fits)
    print(f"{arguments.fits} fits: grown by {grown:.2f} MB, {LIMIT:g} MB are allowed")
    sys.exit(grown > LIMIT)


if __name__ == "__main__":
    main()
