"""A rare class: the threshold of a decision tuned by scikit-learn, beside weights of the classes.

Is a digit an 8? One in ten is. The digits of scikit-learn are read row by row, 360 to learn from;
what counts is the F1 score of the eights among the others.
"""

import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from rnnkit import GRUClassifier


def network(**parameters):
    return GRUClassifier(step_features=8, random_state=0, **parameters)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X / 16, y == 8, train_size=0.2, random_state=0, stratify=y == 8
    )
    models = {
        "logistic regression": LogisticRegression(max_iter=1000),
        "network": network(),
        'network, class_weight="balanced"': network(class_weight="balanced"),
        "network, tuned threshold": TunedThresholdClassifierCV(
            network(), scoring="f1", cv=3, random_state=0
        ),
    }
    for name, model in models.items():
        print(f"{name:34} F1 {f1_score(y_test, model.fit(X, y).predict(X_test)):.3f}")
    print(f"the threshold is {models['network, tuned threshold'].best_threshold_:.2f}")


if __name__ == "__main__":
    main()
