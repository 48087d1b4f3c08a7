"""The gates of an LSTM that keeps the value beside a mark."""

from recall import fitted

from rnnkit.inspection import GateActivationDisplay

classifier, X, _ = fitted()
display = GateActivationDisplay.from_estimator(classifier, X, index=1)
for axes in display.axes_:
    axes.axvline(X[1, :, 1].argmax() - 0.5, color="black", lw=1, ls=":")
