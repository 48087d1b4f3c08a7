"""The classes that a file may name, and what they keep under names of their own.

A file knows a class by the name that users import it by. Of a fitted object it holds the
parameters, every attribute whose name ends in an underscore, and those listed here, each under a
name that is the file's own: where a library renames such an attribute, a line changes here and old
files stay as they are.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rnnkit import estimators, preprocessing
from rnnkit.exceptions import FormatError
from rnnkit.training import optimizers, schedules

__all__ = ["HIDDEN", "class_named", "hidden_attributes", "name_of"]

_SKLEARN = {
    "compose": ("ColumnTransformer", "TransformedTargetRegressor"),
    "decomposition": ("PCA", "TruncatedSVD"),
    "feature_selection": ("VarianceThreshold",),
    "frozen": ("FrozenEstimator",),
    "impute": ("MissingIndicator", "SimpleImputer"),
    "linear_model": (
        "ElasticNet", "Lasso", "LinearRegression", "LogisticRegression", "Ridge",
        "RidgeClassifier",
    ),
    "pipeline": ("FeatureUnion", "Pipeline"),
    "preprocessing": (
        "Binarizer", "FunctionTransformer", "KBinsDiscretizer", "LabelBinarizer", "LabelEncoder",
        "MaxAbsScaler", "MinMaxScaler", "Normalizer", "OneHotEncoder", "OrdinalEncoder",
        "PowerTransformer", "QuantileTransformer", "RobustScaler", "StandardScaler",
    ),
}  # fmt: skip

# By name: importing the room would cost everyone what few use.
_ENERGY = ("DeepBeliefNetwork", "DeepBoltzmannMachine", "HopfieldNetwork", "RecurrentRBM")

_INFREQUENT = {
    "has_infrequent": "_infrequent_enabled",
    "infrequent": "_infrequent_indices",
    "infrequent_mappings": "_default_to_infrequent_mappings",
}

_STEPWISE = {"fitted_on_rows": "_fitted_on_rows", "fitted_with": "_fitted"}

_FORECASTER = {
    name: f"_{name}"
    for name in (
        "columns",
        "counts",
        "errors",
        "fh",
        "form",
        "history",
        "importance",
        "known",
        "n_seen",
        "past",
        "profiles",
        "static",
        "units",
        "written",
    )
}

# The file's name → the attribute, by the class's name.
HIDDEN: dict[str, dict[str, str]] = {
    **{
        f"rnnkit.EchoState{task}": {"moments": "_moments", "moments_rows": "_moments_rows"}
        for task in ("Classifier", "Regressor", "SequenceRegressor", "SequenceTagger")
    },
    **{f"rnnkit.{cell}Forecaster": _FORECASTER for cell in ("GRU", "LSTM", "RNN")},
    "rnnkit.RecurrentFeatures": {
        "fitted_layer": "_fitted_layer",
        "fitted_pooling": "_fitted_pooling",
    },
    "rnnkit.energy.DeepBeliefNetwork": {"binarized_at": "_binarize"},
    "rnnkit.energy.DeepBoltzmannMachine": {"binarized_at": "_binarize"},
    "rnnkit.energy.HopfieldNetwork": {"fitted_with": "_fitted"},
    "rnnkit.preprocessing.CalendarFeatures": {"fitted_with": "_fitted"},
    "rnnkit.preprocessing.Difference": _STEPWISE,
    "rnnkit.preprocessing.Fold": _STEPWISE,
    "rnnkit.preprocessing.FourierTime": _STEPWISE,
    "rnnkit.preprocessing.Padder": {"fitted_with": "_fitted"},
    "rnnkit.preprocessing.SequenceImputer": _STEPWISE,
    "rnnkit.preprocessing.SequenceScaler": {
        **_STEPWISE,
        "frame": "_empty_frame",
        "step_features_in": "_n_step_features",
        "step_features_out": "_n_step_outputs",
    },
    "rnnkit.preprocessing.SequenceSummary": _STEPWISE,
    "rnnkit.preprocessing.TokenEncoder": {"fitted_with": "_fitted"},
    "sklearn.compose.ColumnTransformer": {
        "columns": "_columns",
        "input_positions": "_transformer_to_input_indices",
        "names_out": "_transformers_feature_names_out",
        "passed_through": "_name_to_fitted_passthrough",
        "rest": "_remainder",
    },
    "sklearn.compose.TransformedTargetRegressor": {"target_dimensions": "_training_dim"},
    "sklearn.decomposition.PCA": {"solver_used": "_fit_svd_solver"},
    "sklearn.impute.MissingIndicator": {"n_columns": "_n_features", "precomputed": "_precomputed"},
    "sklearn.impute.SimpleImputer": {"fill_dtype": "_fill_dtype", "fit_dtype": "_fit_dtype"},
    "sklearn.linear_model.RidgeClassifier": {"label_binarizer": "_label_binarizer"},
    "sklearn.preprocessing.KBinsDiscretizer": {"encoder": "_encoder"},
    "sklearn.preprocessing.OneHotEncoder": {
        "dropped": "_drop_idx_after_grouping",
        "n_columns_out": "_n_features_outs",
        **_INFREQUENT,
    },
    "sklearn.preprocessing.OrdinalEncoder": {"missing": "_missing_indices", **_INFREQUENT},
    "sklearn.preprocessing.PowerTransformer": {"scaler": "_scaler"},
}  # fmt: skip


def _names() -> dict[str, tuple[str, str]]:
    """Return the module and the name in it of every class, by the file's name for it."""
    named = [("rnnkit", name) for name in estimators.__all__ if name != "Stream"]
    named += [("rnnkit.preprocessing", name) for name in preprocessing.__all__]
    named += [("rnnkit.energy", name) for name in _ENERGY]
    steps = (*optimizers.SOLVERS.values(), *schedules.SCHEDULES.values())
    named += [("rnnkit.training", kind.__name__) for kind in steps]
    named += [(f"sklearn.{module}", name) for module, names in _SKLEARN.items() for name in names]
    classes = {f"{module}.{name}": (module, name) for module, name in named}
    return {**classes, "rnnkit.Convolution": ("rnnkit.convolutions", "Convolution")}


_NAMES = _names()
_HOMES = {"rnnkit": "rnnkit.estimators"}  # where a name is, if not where users import it from


def class_named(name: Any) -> type:
    """Return the class of a name in a file; FormatError if there is none."""
    if not isinstance(name, str) or name not in _NAMES:
        raise FormatError(f"it holds an object of the class {name!r:.100}, which no file carries")
    module, short = _NAMES[name]
    found: type = getattr(import_module(_HOMES.get(module, module)), short)
    return found


def name_of(kind: type) -> str | None:
    """Return what files call a class; None if they do not carry it."""
    top = kind.__module__.partition(".")[0]
    for name, (module, short) in _NAMES.items():
        if short == kind.__name__ and module.partition(".")[0] == top and class_named(name) is kind:
            return name
    return None


def hidden_attributes(name: str) -> dict[str, str]:
    """Return the file's name → the attribute, for what a class keeps under names of its own."""
    return HIDDEN.get(name, {})
