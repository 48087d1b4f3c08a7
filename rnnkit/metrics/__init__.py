"""Scores for what is predicted per sequence, step, entity or label list; padding never counts.

Targets and predictions as users hold them may enter; estimators may not, but through a scorer.
"""

from rnnkit.metrics.edits import edit_distance, label_error_rate
from rnnkit.metrics.entities import entity_f1, entity_report
from rnnkit.metrics.forecasts import mean_absolute_scaled_error, symmetric_percentage_error
from rnnkit.metrics.intervals import interval_coverage, interval_score, pinball_loss
from rnnkit.metrics.scorers import (
    entity_f1_scorer,
    get_scorer,
    get_scorer_names,
    label_accuracy_scorer,
    label_error_rate_scorer,
    label_log_likelihood_scorer,
    pinball_loss_scorer,
    sequence_accuracy_scorer,
    token_accuracy_scorer,
    token_f1_scorer,
)
from rnnkit.metrics.several_labels import label_accuracy, label_log_likelihood
from rnnkit.metrics.tokens import (
    sequence_accuracy,
    token_accuracy,
    token_confusion_matrix,
    token_f1,
    token_report,
)

__all__ = [
    "edit_distance",
    "entity_f1",
    "entity_f1_scorer",
    "entity_report",
    "get_scorer",
    "get_scorer_names",
    "interval_coverage",
    "interval_score",
    "label_accuracy",
    "label_accuracy_scorer",
    "label_error_rate",
    "label_error_rate_scorer",
    "label_log_likelihood",
    "label_log_likelihood_scorer",
    "mean_absolute_scaled_error",
    "pinball_loss",
    "pinball_loss_scorer",
    "sequence_accuracy",
    "sequence_accuracy_scorer",
    "symmetric_percentage_error",
    "token_accuracy",
    "token_accuracy_scorer",
    "token_confusion_matrix",
    "token_f1",
    "token_f1_scorer",
    "token_report",
]
