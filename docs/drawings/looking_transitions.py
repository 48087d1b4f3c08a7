"""Which label follows which in a tagger of names."""

from tagged import fitted

from rnnkit.inspection import TransitionDisplay

TransitionDisplay.from_estimator(fitted()[0])
