"""What convolutions add to recurrence on series of the UCR archive: test accuracy over seeds.

    python benchmarks/bench_convolution.py GunPoint            # data in RNNKIT_DATA/ts
    python benchmarks/bench_convolution.py ArrowHead --folder FOLDER --seeds 5

Beside it the published accuracy of a fully convolutional network with batch normalization (Wang,
Yan & Oates 2017), which there is none of here.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np

from rnnkit import Convolution, LSTMClassifier
from rnnkit.datasets import load_ts

PUBLISHED_FCN = {"GunPoint": 1.000, "ArrowHead": 0.880, "OSULeaf": 0.988}
DATA = Path(os.environ.get("RNNKIT_DATA", "../shared/data")) / "ts"
POOLED = [Convolution(32, 8, pooling=2), Convolution(64, 5, pooling=2), Convolution(32, 3)]
WHOLE = [
    Convolution(64, 8, layer_norm=True),
    Convolution(128, 5, layer_norm=True),
    Convolution(64, 3, layer_norm=True),
]
SETTINGS = {
    "recurrence alone": {"hidden_size": 32, "bidirectional": True, "pooling": "max"},
    "convolution before": {
        "hidden_size": 32,
        "bidirectional": True,
        "pooling": "max",
        "convolutions": POOLED,
    },
    "parallel": {"hidden_size": 8, "convolutions": WHOLE, "convolution_join": "parallel"},
}


def read(folder: Path, name: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    data = load_ts(folder / f"{name}_{part}.ts")
    return data.X, data.y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["GunPoint"])
    parser.add_argument("--folder", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--only", choices=SETTINGS, default=None)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in asked.names:
        X, y = read(asked.folder, name, "TRAIN")
        X_test, y_test = read(asked.folder, name, "TEST")
        print(f"{name}: {len(y)} to learn from, {len(y_test)} held out")
        for label, settings in SETTINGS.items():
            if asked.only not in (None, label):
                continue
            start, scores = time.perf_counter(), []
            for seed in range(asked.seeds):
                model = LSTMClassifier(
                    **settings,
                    max_iter=asked.epochs,
                    n_iter_no_change=asked.epochs,
                    batch_size=8,
                    learning_rate="cosine",
                    learning_rate_init=3e-3,
                    random_state=seed,
                ).fit(X, y)
                scores.append(model.score(X_test, y_test))
            seconds = (time.perf_counter() - start) / asked.seeds
            listed = " ".join(f"{score:.3f}" for score in scores)
            print(f"  {label:<20} mean {np.mean(scores):.3f} ({listed}), {seconds:.0f} s each")
        if name in PUBLISHED_FCN:
            print(f"  {'FCN, published':<20} {PUBLISHED_FCN[name]:.3f}")


if __name__ == "__main__":
    main()
