"""A rare class: whole sequences drawn again by imbalanced-learn, inside a pipeline.

Is a digit an 8? The digits of scikit-learn are read column by column, without the empty ones at
their margins, so their lengths differ. imbalanced-learn's samplers take tables: they get the places
of the sequences, and what they choose are the sequences. Only `fit` resamples; weights of the
classes stand beside.
"""

import warnings

import numpy as np
from imblearn import FunctionSampler
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from rnnkit import GRUClassifier


def resample(X, y, sampler):
    """Let a sampler of imbalanced-learn choose whole sequences."""
    places = np.arange(len(y))[:, None]
    chosen, y = sampler.fit_resample(places, y)
    return [X[i] for i in chosen[:, 0]], y


def whole_sequences(sampler):
    return FunctionSampler(func=resample, kw_args={"sampler": sampler}, validate=False)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    images, digits = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).transpose(0, 2, 1) / 16  # a step is a column
    X = [image[np.any(image > 0, axis=1)] for image in images]
    y = digits == 8
    places = train_test_split(np.arange(len(y)), train_size=0.2, random_state=0, stratify=y)
    (X_fit, y_fit), (X_test, y_test) = (([X[i] for i in part], y[part]) for part in places)
    print("lengths", sorted({len(x) for x in X}), "eights", y_fit.sum(), "of", len(y_fit))
    network = GRUClassifier(random_state=0)
    models = {
        "as it is": network,
        "rare class drawn again": make_pipeline(
            whole_sequences(RandomOverSampler(random_state=0)), network
        ),
        "frequent class cut down": make_pipeline(
            whole_sequences(RandomUnderSampler(random_state=0)), network
        ),
        'class_weight="balanced"': GRUClassifier(class_weight="balanced", random_state=0),
    }
    for name, model in models.items():
        score = balanced_accuracy_score(y_test, model.fit(X_fit, y_fit).predict(X_test))
        print(f"{name:30} balanced accuracy {score:.3f}")
    plain = LogisticRegression(max_iter=1000, class_weight="balanced")
    pixels = images.reshape(-1, 64)
    answers = plain.fit(pixels[places[0]], y_fit).predict(pixels[places[1]])
    score = balanced_accuracy_score(y_test, answers)
    print(f"{'logistic regression, balanced':30} balanced accuracy {score:.3f}")


if __name__ == "__main__":
    main()
