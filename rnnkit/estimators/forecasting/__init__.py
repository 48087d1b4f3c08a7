"""Forecasters: what is taken out of a series, what networks learn of the rest, what comes back.

What reads series in sktime's words and answers in kind may enter; how numbers per step are learnt
is the sequence regressors' business.
"""

from rnnkit.estimators.forecasting.forecaster import GRUForecaster, LSTMForecaster, RNNForecaster

__all__ = ["GRUForecaster", "LSTMForecaster", "RNNForecaster"]
