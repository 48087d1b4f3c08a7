"""Learning labels: classes, their weights, and what classifier, tagger and labeller share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.codecs import Codec, Indicators, Labels
from rnnkit.estimators.devices import takes_device_arrays
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.fitting import trains_in_minibatches
from rnnkit.estimators.labels import check_classes, weights_by_class
from rnnkit.estimators.parameters.field import RATE, parameter, parameters
from rnnkit.estimators.watching import learning_watched
from rnnkit.network import Bernoulli, Output, SoftmaxCrossEntropy
from rnnkit.sequences.numbers import label_array

__all__ = ["LabelLearning", "LabelPrediction"]


@parameters
class LabelLearning(RecurrentEstimator):
    """What learns labels, whose classes must be known before the first `partial_fit`."""

    _attributes: ClassVar[tuple[str, ...]] = ("classes_", *RecurrentEstimator._attributes)

    @available_if(trains_in_minibatches)
    @takes_device_arrays
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Train for one more epoch on the given data.

        The solver goes on from where the last call of `partial_fit` left it, as long as no
        parameter changed; `fit` starts anew.

        Parameters
        ----------
        X, y : array-like
            As in `fit`.
        classes : array-like of shape (K,), default=None
            All classes that will ever come; needed in the first call where y holds labels.
        sample_weight, lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`; if the first call has no `classes`, or a later one others; and with
            `early_stopping` or ``class_weight="balanced"``. The estimator stays as it was.
        """
        self._check_classes(y, classes, first=not hasattr(self, "network_"))
        if isinstance(getattr(self, "class_weight", None), str):
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit; "
                "pass a dict of weights instead"
            )
        told = X, y, sample_weight, lengths
        with learning_watched(self, "partial_fit", 1, *told) as (draft, watcher):
            draft._partial_fit(*told, watcher, classes)
        return self

    def _check_classes(self, y: Any, classes: Any, *, first: bool) -> None:
        """Check the classes that a call of `partial_fit` was given."""
        if classes is not None:
            check_classes(classes)
        if first:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
        elif classes is not None:
            known = getattr(self, "classes_", None)  # of labels
            if known is None or not np.array_equal(known, np.unique(label_array(classes))):
                raise ValueError(
                    f"classes={classes!r} is not the same as on last call to partial_fit, "
                    f"was: {known!r}"
                )

    @property
    def classes_(self) -> np.ndarray:
        """The class labels, sorted; the numbers of several yes-or-no labels."""
        self._need_fit()
        codec: Any = self._codec
        classes: np.ndarray = codec.classes
        return classes


@parameters
class LabelPrediction(LabelLearning):
    """What predicts one label, or K yes-or-no labels, for every sequence or every step."""

    label_smoothing: float = parameter(
        0.0,
        [RATE],
        "float",
        "Share of the target distribution that is spread evenly over the classes.",
    )
    class_weight: Any = parameter(
        None,
        [StrOptions({"balanced"}), dict, None],
        'dict, "balanced" or None',
        'Weights of the classes in the loss; "balanced" makes them inversely proportional to '
        "their frequency, in which each target counts by its sample weight. The classes of several "
        "yes-or-no labels are 0 and 1.",
    )

    def _scored_by_row(self, codec: Codec) -> Output:
        """Return the output that scores every sequence, or step, by itself."""
        if not isinstance(codec, Indicators):
            return SoftmaxCrossEntropy(codec.width, self.label_smoothing)
        return Bernoulli(codec.width, self.label_smoothing)

    def _fit_output(self, output: Output, examples: Examples, last: Output | None) -> Output:
        class_weight = self.class_weight
        if not isinstance(output, Bernoulli) or class_weight is None:
            return output
        if isinstance(class_weight, dict):
            class_weight = weights_by_class(class_weight, np.arange(2))
        weights = examples.weights_of_targets
        output = output.weighed(class_weight, examples.targets, weights)
        if isinstance(class_weight, str):
            return output  # whose mean is 1
        try:
            return output.with_mean_weight_one(examples.targets, weights)
        except ValueError:
            raise _no_weight(self.class_weight) from None

    def _class_weights(self, output: Output, codec: Codec, examples: Examples) -> np.ndarray | None:
        if isinstance(output, Bernoulli):  # which has them inside
            return None
        class_weight = self.class_weight
        if isinstance(class_weight, dict) and isinstance(codec, Labels):
            class_weight = weights_by_class(class_weight, codec.classes)
        if class_weight is None:
            return None
        own = examples.weights_of_targets
        counting = np.ones(len(examples.targets), bool) if own is None else own > 0
        weights = np.zeros(len(examples.targets))
        weights[counting] = output.class_weights(
            examples.targets[counting], class_weight, None if own is None else own[counting]
        )
        if not weights.any():
            raise _no_weight(self.class_weight)
        return weights


def _no_weight(class_weight: Any) -> ValueError:
    return ValueError(
        f"class_weight must leave a target with a weight above 0, got {class_weight!r}"
    )
