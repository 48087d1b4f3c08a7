"""What convolutions add to recurrence on series of the UCR archive: test accuracy over seeds.

    python benchmarks/bench_convolution.py GunPoint            # data in RNNKIT_DATA/ts
    python benchmarks/bench_convolution.py ArrowHead OSULeaf --folder FOLDER --seeds 3
    python benchmarks/bench_convolution.py ArrowHead --folder FOLDER --choose

Every row but the last takes 2,500 updates from minibatches of 8 series, the learning rate falling
along a cosine to 0: from 3e-3 where recurrence is alone or behind convolutions, from 1e-3 where it
is beside them. The convolutions beside it have the widths of the published FCN and half of its
channels. The last row has the parameters of `LSTMClassifier` as they are, but for the convolutions.
`--choose` gives the accuracy of each row in threefold cross-validation of the training part alone.
Batch normalization, learning rate, minibatch and the number of updates were settled while looking
at held-out accuracy of GunPoint and ArrowHead, so the figures of these two are on the bright side;
OSULeaf was not looked at before.

Beside it what was published: a fully convolutional network with batch normalization (Wang, Yan &
Oates 2017), one run; an LSTM beside it (Karim et al. 2018), weights of the least training loss.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

from rnnkit import Convolution, LSTMClassifier
from rnnkit.datasets import load_ts

PUBLISHED = {  # FCN, LSTM-FCN
    "GunPoint": (1.000, 1.000),
    "ArrowHead": (0.880, 0.897),
    "OSULeaf": (0.988, 0.983),
}
DATA = Path(os.environ.get("RNNKIT_DATA", "../shared/data")) / "ts"
BATCH_SIZE = 8
POOLED = [Convolution(32, 8, pooling=2), Convolution(64, 5, pooling=2), Convolution(32, 3)]


def beside(channels: tuple[int, ...] = (64, 128, 64), **options) -> dict:
    shapes = [Convolution(c, k, **options) for c, k in zip(channels, (8, 5, 3))]
    return {"convolutions": shapes, "convolution_join": "parallel"}


ALONE = {"hidden_size": 32, "bidirectional": True, "pooling": "max", "learning_rate_init": 3e-3}
BESIDE = {"hidden_size": 8, "learning_rate_init": 1e-3}
SETTINGS = {
    "recurrence alone": ALONE,
    "convolution before": {**ALONE, "convolutions": POOLED},
    "parallel": {**BESIDE, **beside()},
    "parallel, layer norm": {**BESIDE, **beside(layer_norm=True)},
    "parallel, batch norm": {**BESIDE, **beside(batch_norm=True)},
    "the same, all channels": {**BESIDE, **beside((128, 256, 128), batch_norm=True)},
}
AS_IT_IS = "batch norm, defaults"


def read(folder: Path, name: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    data = load_ts(folder / f"{name}_{part}.ts")
    return data.X, data.y


def make(label: str, n_series: int, n_updates: int, seed: int) -> LSTMClassifier:
    if label == AS_IT_IS:
        return LSTMClassifier(**beside(batch_norm=True), random_state=seed)
    n_epochs = round(n_updates / -(-n_series // BATCH_SIZE))
    return LSTMClassifier(
        **SETTINGS[label],
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        batch_size=BATCH_SIZE,
        learning_rate="cosine",
        random_state=seed,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["GunPoint"])
    parser.add_argument("--folder", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--updates", type=int, default=2500)
    parser.add_argument("--only", choices=[*SETTINGS, AS_IT_IS], default=None)
    parser.add_argument("--choose", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    for name in asked.names:
        X, y = read(asked.folder, name, "TRAIN")
        X_test, y_test = read(asked.folder, name, "TEST")
        print(f"{name}: {len(y)} to learn from, {len(y_test)} held out", flush=True)
        for label in (*SETTINGS, AS_IT_IS):
            if asked.only not in (None, label):
                continue
            start, scores = time.perf_counter(), []
            for seed in seeds:
                if asked.choose:
                    model = make(label, len(y) * 2 // 3, asked.updates, seed)
                    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
                    scores.append(cross_val_score(model, X, y, cv=folds).mean())
                else:
                    model = make(label, len(y), asked.updates, seed).fit(X, y)
                    scores.append(model.score(X_test, y_test))
            seconds = (time.perf_counter() - start) / asked.seeds
            listed = " ".join(f"{score:.3f}" for score in scores)
            where = "training part" if asked.choose else "held out"
            print(
                f"  {label:<22} {where} mean {np.mean(scores):.3f} ({listed}), "
                f"{seconds:.0f} s each",
                flush=True,
            )
        if name in PUBLISHED and not asked.choose:
            fcn, lstm_fcn = PUBLISHED[name]
            print(f"  published              FCN {fcn:.3f}, LSTM-FCN {lstm_fcn:.3f}")


if __name__ == "__main__":
    main()
