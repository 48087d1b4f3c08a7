"""Autoencoders at default parameters on real sequences: anomalies, codes, and speed.

``python benchmarks/bench_autoencoder.py [--sets JapaneseVowels,...] [--seeds 0,1,2]`` prints for
each set two tables.

Anomalies: a class is left out of the training part, and all of the test part is scored; the figure
is the area under the ROC curve with which the class left out is told from the others, its mean
over the classes (the first six of more) and seeds. Beside it stand the error of as many principal
components as a code has numbers, of sequences brought to 24 steps each, and an IsolationForest of
pooled features (mean, deviation, extremes, first and last step of each channel).

Codes: the accuracy of logistic regression on the codes, learnt without labels, beside that on the
same principal components and on the same pooled features; and R² of what is given back.

``--variants`` prints the same for what could be options: more or fewer numbers of a code, both
directions, noise (denoising), and a variational one, which is PyTorch's here. ``--speed`` prints
the milliseconds of an epoch beside PyTorch's of the same network, one thread each.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rnnkit
from benchmarks.scores.runner import loaders
from rnnkit.preprocessing import SequenceScaler

SETS = ("JapaneseVowels", "ItalyPowerDemand", "GunPoint", "PickupGestureWiimoteZ")
MOST_CLASSES = 6
EPOCHS = 150  # of PyTorch's, as ours by default


def read(name):
    """Return training and test sequences, scaled by the training part, with their labels."""
    X, y = loaders().ts(name, "TRAIN")
    X_test, y_test = loaders().ts(name, "TEST")
    scaler = SequenceScaler(StandardScaler()).fit([x.astype(np.float32) for x in X])
    X, X_test = (scaler.transform([x.astype(np.float32) for x in part]) for part in (X, X_test))
    return X, y, X_test, y_test


def pooled(X):
    """Return mean, deviation, extremes, first and last step of each channel (N, 6 I)."""
    return np.array(
        [np.concatenate([x.mean(0), x.std(0), x.min(0), x.max(0), x[0], x[-1]]) for x in X]
    )


def resampled(X, n_steps=24):
    """Return sequences of one length by linear interpolation, as rows (N, n_steps I)."""
    to = np.linspace(0, 1, n_steps)
    return np.array(
        [
            np.stack([np.interp(to, np.linspace(0, 1, len(x)), c) for c in x.T], axis=1).ravel()
            for x in X
        ]
    )


class Own:
    """An autoencoder of rnnkit, by name and parameters."""

    def __init__(self, cell, **parameters):
        self.kind, self.parameters = getattr(rnnkit, f"{cell}Autoencoder"), parameters

    def __call__(self, X, seed):
        model = self.kind(random_state=seed, **self.parameters).fit(X)
        return lambda others: (
            model.transform(others),
            model.reconstruction_error(others),
            model.score(others),
        )


class Components:
    """Principal components of sequences brought to one length."""

    def __init__(self, n):
        self.n = n

    def __call__(self, X, seed):
        rows = resampled(X)
        pca = PCA(min(self.n, *rows.shape), random_state=seed).fit(rows)

        def ask(others):
            rows = resampled(others)
            codes = pca.transform(rows)
            errors = ((pca.inverse_transform(codes) - rows) ** 2).mean(axis=1)
            return codes, errors, 1 - errors.mean() / rows.var()

        return ask


def pooled_features(X, seed):
    """Features of sequences, and how soon a forest of random cuts has each alone."""
    forest = IsolationForest(random_state=seed).fit(pooled(X))
    return lambda others: (pooled(others), -forest.score_samples(pooled(others)), np.nan)


def variational(spread):
    """Return PyTorch's variational autoencoder as the others here."""

    def fit(X, seed):
        import torch

        from benchmarks.rivals import torch_autoencoder

        torch.manual_seed(seed)
        net = torch_autoencoder.Net("gru", X[0].shape[1], spread=spread)
        size = min(max(len(X) // 8, 8), 64)
        trained = torch_autoencoder.Trained(net, seed, batch_size=size)
        for _ in range(EPOCHS):
            trained.epoch(X)

        def ask(others):
            codes, errors = trained.codes_and_errors(others)
            return codes, errors, np.nan

        return ask

    return fit


RIVALS = {"principal components": Components(16), "pooled features": pooled_features}
MODELS = {f"{cell}Autoencoder()": Own(cell) for cell in ("RNN", "LSTM", "GRU")}
VARIANTS = {
    "GRU": Own("GRU"),
    "GRU, 4 numbers": Own("GRU", code_size=4),
    "GRU, 8 numbers": Own("GRU", code_size=8),
    "GRU, 32 numbers": Own("GRU", code_size=32),
    "GRU, both directions": Own("GRU", bidirectional=True),
    "GRU, no noise": Own("GRU", input_noise=0.0),
    "GRU, input_noise 0.4": Own("GRU", input_noise=0.4),
    "GRU, input_dropout 0.2": Own("GRU", input_dropout=0.2),
    "PyTorch": variational(0.0),
    "PyTorch, variational 0.001": variational(1e-3),
    "PyTorch, variational 0.01": variational(1e-2),
}


def scores(name, contenders, seeds, n_classes):
    """Print both tables of a set."""
    X, y, X_test, y_test = read(name)
    print(f"\n{name}: {len(X)} sequences of {len(set(map(len, X)))} lengths to train on")
    print(f"{'':28} {'anomalies':>10} {'± seeds':>8} {'labels':>8} {'R²':>6} {'seconds':>8}")
    classes = sorted(set(y))[:n_classes]
    for contender, fit in contenders.items():
        areas, accuracies, shares, begin = [], [], [], time.perf_counter()
        for seed in seeds:
            of_seed = []
            for left_out in classes:
                ask = fit([x for x, label in zip(X, y) if label != left_out], seed)
                of_seed.append(roc_auc_score(y_test == left_out, ask(X_test)[1]))
            areas.append(np.mean(of_seed))
            ask = fit(X, seed)
            (codes, *_), (others, _, share) = ask(X), ask(X_test)
            regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
            accuracies.append(regression.fit(codes, y).score(others, y_test))
            shares.append(share)
        seconds = (time.perf_counter() - begin) / len(seeds) / (1 + len(classes))
        print(
            f"{contender:28} {np.mean(areas):10.3f} {np.std(areas):8.3f} "
            f"{np.mean(accuracies):8.3f} {np.mean(shares):6.2f} {seconds:8.1f}",
            flush=True,
        )


def speed(n_epochs=15):
    """Print the time of an epoch beside PyTorch's, ragged and of one length."""
    import torch

    from benchmarks.rivals import torch_autoencoder

    torch.set_num_threads(1)
    for name in ("JapaneseVowels", "GunPoint"):
        X = read(name)[0]
        X = X * (256 // len(X) + 1)
        for cell in ("GRU", "LSTM"):
            kind = getattr(rnnkit, f"{cell}Autoencoder")
            estimator = kind(random_state=0)
            net = torch_autoencoder.Net(cell.lower(), X[0].shape[1])
            trained = torch_autoencoder.Trained(net)
            own, theirs = [], []
            for _ in range(n_epochs):
                begin = time.perf_counter()
                estimator.partial_fit(X)
                middle = time.perf_counter()
                trained.epoch(X)
                own.append(middle - begin)
                theirs.append(time.perf_counter() - middle)
            mine, their = (1e3 * np.quantile(times[1:], 0.25) for times in (own, theirs))
            print(
                f"{cell} H=64 C=16, {name}, {len(X)} sequences, an epoch: {mine:.1f} ms with the "
                f"offset, PyTorch {their:.1f} ms, {their / mine:.2f} times as fast",
                flush=True,
            )


def main():
    """Print a table for each set, or times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--classes", type=int, default=MOST_CLASSES)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of contenders")
    parser.add_argument("--speed", action="store_true")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.speed:
        speed()
        return
    contenders = {**RIVALS, **(VARIANTS if chosen.variants else MODELS)}
    if chosen.only:
        contenders = {name: contenders[name] for name in chosen.only}
    for name in chosen.sets.split(","):
        scores(name, contenders, list(map(int, chosen.seeds.split(","))), chosen.classes)


if __name__ == "__main__":
    main()
