"""How far back the states of three fitted cells depend on their input."""

import warnings

import matplotlib.pyplot as plt
from recall import fitted

from rnnkit import GRUClassifier, LSTMClassifier, RNNClassifier
from rnnkit.inspection import GradientFlowDisplay

warnings.simplefilter("ignore")  # that of the Elman network, which does not learn this task
figure, axes = plt.subplots()
for cell in (RNNClassifier, GRUClassifier, LSTMClassifier):
    classifier, X, _ = fitted(cell)
    GradientFlowDisplay.from_estimator(classifier, X[:10], relative=True, ax=axes)
