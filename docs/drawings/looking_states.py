"""The hidden states of an LSTM that keeps the value beside a mark."""

from recall import fitted

from rnnkit.inspection import HiddenStateDisplay

classifier, X, _ = fitted()
HiddenStateDisplay.from_estimator(classifier, X, index=1, sort_units=True)
