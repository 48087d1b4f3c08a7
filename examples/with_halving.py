"""Successive halving with epochs as the resource: many settings for a few, the best for more.

The digits of scikit-learn, read row by row.
"""

import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV, train_test_split

from rnnkit import GRUClassifier


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs are the point
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
    search = HalvingGridSearchCV(
        GRUClassifier(step_features=8, random_state=0),
        {"hidden_size": [8, 32, 64], "learning_rate_init": [1e-4, 1e-3, 1e-2]},
        resource="max_iter",
        min_resources=3,
        max_resources=27,
        cv=3,
        random_state=0,
    )
    search.fit(X, y)
    for epochs, candidates in zip(search.n_resources_, search.n_candidates_):
        print(f"{candidates} settings for {epochs} epochs")
    plain = LogisticRegression(max_iter=1000).fit(X, y).score(X_test, y_test)
    print(f"best {search.best_params_}")
    print(f"accuracy: logistic regression {plain:.3f}, found {search.score(X_test, y_test):.3f}")


if __name__ == "__main__":
    main()
