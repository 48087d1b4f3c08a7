"""
Digits row by row, with a grid search
=====================================

scikit-learn's digits are pictures of 8 × 8 pixels. Read from top to bottom a picture is a
sequence of 8 rows, each with 8 numbers; ``step_features=8`` says so. Two parameters are searched
as for any estimator.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import GRUClassifier

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# A short training with a falling learning rate is enough to compare.

model = make_pipeline(
    StandardScaler(),
    GRUClassifier(step_features=8, max_iter=8, learning_rate="cosine", random_state=0),
)
grid = {
    "gruclassifier__hidden_size": [8, 16, 32, 64],
    "gruclassifier__learning_rate_init": [0.003, 0.01, 0.03, 0.1],
}
search = GridSearchCV(model, grid, cv=3).fit(X_train, y_train)
print(search.best_params_)
print(f"cross-validated {search.best_score_:.3f}, held out {search.score(X_test, y_test):.3f}")

# %%
# The mean accuracy over the three folds of every pair.

sizes, rates = grid.values()
scores = search.cv_results_["mean_test_score"].reshape(len(sizes), len(rates))
figure, axis = plt.subplots(figsize=(6, 4.5), layout="constrained")
picture = axis.imshow(scores, cmap="viridis", origin="lower")
for (row, column), score in np.ndenumerate(scores):
    dark = score < (scores.min() + scores.max()) / 2
    axis.text(column, row, f"{score:.3f}", ha="center", color="white" if dark else "black")
axis.set_xticks(range(len(rates)), rates)
axis.set_yticks(range(len(sizes)), sizes)
axis.set(xlabel="learning_rate_init", ylabel="hidden_size")
figure.colorbar(picture, label="accuracy, mean of three folds")
plt.show()
