"""Sentences with the labels of a tagger of names."""

from tagged import fitted

from rnnkit.inspection import TaggingDisplay

tagger, X, y = fitted()
TaggingDisplay.from_estimator(tagger, X, y, indices=[0, 13, -2, -1]).plot()
