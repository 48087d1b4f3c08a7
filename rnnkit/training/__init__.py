"""Training: what changes a network's parameters by data, and what may watch, steer or resume it.

Solvers, schedules, stopping, callbacks, ranks and the loops themselves may enter; how y is read
and what a user sees as fitted may not.
"""

from rnnkit.training.callbacks import Callback, Epoch, EpochCallback, PrintProgress, ends_training
from rnnkit.training.communicator import Communicator
from rnnkit.training.data import TrainingData
from rnnkit.training.optimizers import (
    LBFGS,
    SGD,
    SOLVERS,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    Nesterov,
    RMSProp,
    Solver,
    make_solver,
)
from rnnkit.training.result import FitResult
from rnnkit.training.schedules import (
    SCHEDULES,
    Adaptive,
    Constant,
    Cosine,
    InvScaling,
    Linear,
    Schedule,
    make_schedule,
)
from rnnkit.training.share import Share
from rnnkit.training.state import TrainingState
from rnnkit.training.trainer import Trainer
from rnnkit.training.truncation import check_truncation
from rnnkit.training.watch import Validation

__all__ = [
    "LBFGS",
    "SCHEDULES",
    "SGD",
    "SOLVERS",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adaptive",
    "Callback",
    "Communicator",
    "Constant",
    "Cosine",
    "Epoch",
    "EpochCallback",
    "FitResult",
    "InvScaling",
    "Linear",
    "Nesterov",
    "PrintProgress",
    "RMSProp",
    "Schedule",
    "Share",
    "Solver",
    "Trainer",
    "TrainingData",
    "TrainingState",
    "Validation",
    "check_truncation",
    "ends_training",
    "make_schedule",
    "make_solver",
]
