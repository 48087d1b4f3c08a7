"""From sequences to a tuned classifier and a tagger, in under two minutes on two cores."""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import GRUClassifier, GRUSequenceTagger, LSTMClassifier
from rnnkit.preprocessing import SequenceScaler


def search_over_a_pipeline():
    """Digits read row by row: 8 steps of 8 features, a scaler before the network."""
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=0
    )
    pipeline = Pipeline(
        [
            ("scale", StandardScaler()),
            (
                "lstm",
                LSTMClassifier(
                    step_features=8,
                    dropout=0.3,
                    solver="adamw",
                    learning_rate_init=3e-3,
                    learning_rate="cosine",
                    batch_size=32,
                    max_iter=25,
                    n_iter_no_change=25,
                    random_state=0,
                ),
            ),
        ]
    )
    grid = {"lstm__hidden_size": [64, 128], "lstm__input_noise": [0.0, 0.4]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, verbose=2)
    search.fit(X_train, y_train)
    print(f"best parameters {search.best_params_}, cross-validated {search.best_score_:.3f}")
    print(f"held-out accuracy {search.score(X_test, y_test):.3f}")


def sequences_of_different_lengths():
    """Tell rising from falling noisy waves, between 10 and 40 steps long."""
    rng = np.random.default_rng(0)
    y = rng.choice(["falling", "rising"], size=400)
    X = []
    for label in y:
        t = np.arange(rng.integers(10, 41))[:, np.newaxis]
        slope = 0.02 if label == "rising" else -0.02
        X.append(slope * t + np.sin(t / 2 + rng.uniform(0, 6)) + 0.1 * rng.normal(size=t.shape))
    model = make_pipeline(
        SequenceScaler(StandardScaler()),
        GRUClassifier(
            32,
            learning_rate_init=1e-2,
            learning_rate="cosine",
            batch_size=32,
            max_iter=10,
            random_state=0,
            verbose=1,
        ),
    )
    model.fit(X[:300], y[:300])
    print(f"held-out accuracy {model.score(X[300:], y[300:]):.3f}")


def a_label_for_every_step():
    """Say at every step whether more ones than zeros have been seen so far."""
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 2, rng.integers(5, 30)).astype(float) for _ in range(400)]
    y = [np.where(np.cumsum(2 * x - 1) > 0, "more ones", "not more") for x in X]
    tagger = GRUSequenceTagger(
        32,
        learning_rate_init=1e-2,
        learning_rate="cosine",
        batch_size=32,
        max_iter=15,
        random_state=0,
        verbose=1,
    )
    tagger.fit(X[:300], y[:300])
    print(f"held-out token accuracy {tagger.score(X[300:], y[300:]):.3f}")
    print(f"{X[300][:8].astype(int)} -> {tagger.predict(X[300:301])[0][:8]}")


def main():
    """Run the three parts and say how long each took."""
    begin = time.perf_counter()
    for part in (search_over_a_pipeline, sequences_of_different_lengths, a_label_for_every_step):
        print(f"\n{part.__doc__}", flush=True)
        start = time.perf_counter()
        part()
        print(f"({time.perf_counter() - start:.1f} s)", flush=True)
    print(f"\nall parts: {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
