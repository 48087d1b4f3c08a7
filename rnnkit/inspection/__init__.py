"""Pictures of fitted estimators, in scikit-learn's conventions for displays, and importances.

Each display has `from_estimator`, which computes and draws, a constructor that takes the numbers,
and `plot`, which draws them once more. matplotlib, the extra "plot", is imported when something is
drawn.
What asks a fitted estimator for numbers and draws them may enter; nothing here trains.
"""

from rnnkit.inspection.attention import AttentionDisplay
from rnnkit.inspection.confusion import TokenConfusionDisplay
from rnnkit.inspection.forecast import ForecastDisplay
from rnnkit.inspection.gates import GateActivationDisplay
from rnnkit.inspection.gradient_flow import GradientFlowDisplay
from rnnkit.inspection.loss_curves import LossCurveDisplay
from rnnkit.inspection.permutation import permutation_importance
from rnnkit.inspection.saliency import SaliencyDisplay
from rnnkit.inspection.states import HiddenStateDisplay
from rnnkit.inspection.tagging import TaggingDisplay
from rnnkit.inspection.transitions import TransitionDisplay

__all__ = [
    "AttentionDisplay",
    "ForecastDisplay",
    "GateActivationDisplay",
    "GradientFlowDisplay",
    "HiddenStateDisplay",
    "LossCurveDisplay",
    "SaliencyDisplay",
    "TaggingDisplay",
    "TokenConfusionDisplay",
    "TransitionDisplay",
    "permutation_importance",
]
