"""Scores for predictions per step, per entity and per label sequence; padding never counts."""

from rnnkit.metrics.tokens import (
    edit_distance,
    entity_f1,
    entity_f1_scorer,
    label_error_rate,
    label_error_rate_scorer,
    sequence_accuracy,
    sequence_accuracy_scorer,
    token_accuracy,
    token_accuracy_scorer,
    token_f1,
    token_f1_scorer,
)

__all__ = [
    "edit_distance",
    "entity_f1",
    "entity_f1_scorer",
    "label_error_rate",
    "label_error_rate_scorer",
    "sequence_accuracy",
    "sequence_accuracy_scorer",
    "token_accuracy",
    "token_accuracy_scorer",
    "token_f1",
    "token_f1_scorer",
]
