"""Training: solvers, learning-rate schedules, stopping, callbacks and the loop itself."""

from rnnkit.training.callbacks import Callback, PrintProgress
from rnnkit.training.objective import TrainingData
from rnnkit.training.optimizers import (
    LBFGS,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    Nesterov,
    RMSProp,
    Solver,
    make_solver,
)
from rnnkit.training.schedules import (
    Adaptive,
    Constant,
    Cosine,
    InvScaling,
    Linear,
    Schedule,
    make_schedule,
)
from rnnkit.training.trainer import FitResult, Trainer

__all__ = [
    "LBFGS",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adaptive",
    "Callback",
    "Constant",
    "Cosine",
    "FitResult",
    "InvScaling",
    "Linear",
    "Nesterov",
    "PrintProgress",
    "RMSProp",
    "Schedule",
    "Solver",
    "Trainer",
    "TrainingData",
    "make_schedule",
    "make_solver",
]
