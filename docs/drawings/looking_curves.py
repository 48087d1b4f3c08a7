"""Loss curves of a classifier with early stopping."""

from recall import fitted

from rnnkit.inspection import LossCurveDisplay

classifier, _, _ = fitted(early_stopping=True, n_iter_no_change=15)
LossCurveDisplay.from_estimator(classifier)
