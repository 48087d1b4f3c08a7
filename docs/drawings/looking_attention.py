"""Where attention pooling looks: at the step of the mark."""

from recall import fitted

from rnnkit.inspection import AttentionDisplay

classifier, X, _ = fitted(pooling="attention")
display = AttentionDisplay.from_estimator(classifier, X[:10])
display.ax_.plot(X[:10, :, 1].argmax(axis=1), range(10), "r.", label="mark")
display.ax_.legend(loc="upper right")
