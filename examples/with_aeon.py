"""A network of rnnkit as a classifier of aeon: nine speakers by ragged recordings.

Japanese vowels, 12 channels of 7 to 29 time points, come with aeon, channel-first; networks take
them as they are. Needs ``pip install "rnnkit[aeon]"``.
"""

import warnings

import numpy as np
from aeon.datasets import load_japanese_vowels
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import GRUClassifier
from rnnkit.adapters.aeon import RecurrentClassifier
from rnnkit.preprocessing import SequenceScaler


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_japanese_vowels(split="train")
    X_test, y_test = load_japanese_vowels(split="test")
    means, means_test = (np.array([x.mean(axis=1) for x in cases]) for cases in (X, X_test))
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(means, y)
    print(f"logistic regression on means  {plain.score(means_test, y_test):.3f}")
    scaled = make_pipeline(SequenceScaler(), GRUClassifier(bidirectional=True, pooling="mean"))
    for name, estimator in {"as by default": None, "scaled, both directions": scaled}.items():
        model = RecurrentClassifier(estimator, random_state=0).fit(X, y)
        print(f"{name:29} {model.score(X_test, y_test):.3f}")


if __name__ == "__main__":
    main()
