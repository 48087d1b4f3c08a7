"""Every golden model, trained once for all tests that export it."""

import copy
import warnings
from functools import cache

from golden.models import models

MODELS = models()
REGRESSORS = ("Regressor", "SequenceRegressor")


@cache
def trained(name):
    """Return a golden model by its name, fitted, and its data."""
    estimator, data, fit = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(estimator, data), data


def emptied(estimator):
    """Return an estimator with the parameters that the weights were made with, unfitted.

    Where X holds labels it is a fitted one without weights: only a fit knows their ids.
    """
    if any(estimator._reader.labels):
        empty = copy.deepcopy(estimator)
        empty.network_.parameters.flat[:] = 0
        return empty
    return type(estimator)(**estimator._built_with)


def refusal(estimator, refused):
    """Return the name of the first option that an export must refuse, or None.

    refused: names of cell options; beside them parameters of the estimator by name.
    """
    if type(estimator).__name__.endswith("LanguageModel"):
        return "takes no language model"
    if type(estimator).__name__.endswith("Autoencoder"):
        return "takes no autoencoder"
    if type(estimator).__name__.startswith("EchoState"):
        return "takes no reservoir"
    if type(estimator).__name__ == "RecurrentRBM":
        return "takes no Boltzmann machine"
    if type(estimator).__name__.endswith("SeriesGenerator"):
        return "takes no generator of series"
    if type(estimator).__name__.endswith("EncoderDecoder"):
        return "takes no encoder-decoder"
    widths = getattr(estimator, "hidden_size", 1)
    if widths == ():
        return "takes recurrent networks"
    if isinstance(widths, tuple) and "hidden_size" in refused and len(set(widths)) > 1:
        return "several widths"
    reader = getattr(estimator, "_reader", None)
    if reader is not None and reader.static_columns:  # the first that is asked for
        return "static"
    several = isinstance(getattr(estimator, "quantile", None), list) and "quantile" in refused
    if several and estimator.loss == "quantile":
        return "quantile"
    parameters = getattr(estimator, "_built_with", estimator.get_params(deep=False))
    default = type(estimator)().get_params()
    for name in (name for name in refused if name not in ("quantile", "hidden_size")):
        if name in parameters and parameters[name] != default[name]:
            return name
    return None
