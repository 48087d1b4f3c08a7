"""What the answer of an LSTM hangs on: the value beside the mark."""

import numpy as np
from recall import fitted

from rnnkit.inspection import SaliencyDisplay

classifier, X, _ = fitted()
at_mark = np.abs((X[..., 0] * X[..., 1]).sum(axis=1))
index = int(at_mark.argmin())
display = SaliencyDisplay.from_estimator(classifier, X, index=index, target="positive")
display.ax_.set_yticks([0, 1], ["value", "mark"])
display.ax_.axvline(X[index, :, 1].argmax() - 0.5, color="black", lw=1, ls=":")
