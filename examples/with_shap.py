"""Which steps and features a decision hangs on: shuffled as a whole, and by shap for one digit.

The digits of scikit-learn are read row by row: a step is a row of pixels, a feature is a column.
`permutation_importance` shuffles rows, columns or single pixels among the digits and sees how far
the accuracy falls; it takes ragged sequences as well. shap explains single answers: it takes
tables, which the network reads too, told how many columns make a step.
"""

import warnings

import numpy as np
import shap
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from rnnkit import GRUClassifier
from rnnkit.inspection import permutation_importance


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
    model = GRUClassifier(step_features=8, random_state=0).fit(X, y)
    plain = LogisticRegression(max_iter=1000).fit(X, y).score(X_test, y_test)
    print(f"accuracy: logistic regression {plain:.3f}, network {model.score(X_test, y_test):.3f}")
    for of, name in (("windows", "rows   "), ("features", "columns")):
        found = permutation_importance(
            model, X_test, y_test, of=of, n_windows=8, step_features=8, random_state=0
        )
        print(f"accuracy lost without {name}", *(f"{fall:5.2f}" for fall in found.importances_mean))
    explainer = shap.PermutationExplainer(model.predict_proba, X[:20], seed=0)
    first = model.predict(X_test[:1])[0]
    values = explainer(X_test[:1], max_evals=2 * 64 + 1, silent=True)
    shares = np.abs(values.values[0, :, list(model.classes_).index(first)]).reshape(8, 8)
    total = values.base_values[0] + values.values[0].sum(axis=0)
    adds_up = np.abs(total - model.predict_proba(X_test[:1])[0]).max()
    print(f"shap of a {first}: strongest row {shares.sum(axis=1).argmax()}, ", end="")
    print(f"strongest column {shares.sum(axis=0).argmax()}, adds up within {adds_up:.1e}")


if __name__ == "__main__":
    main()
