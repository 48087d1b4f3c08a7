"""Models that leave the process: as files, and in the forms that other libraries read and write.

What reads a fitted estimator into bytes or arrays, and back, may enter; what it computes may not.
"""

from rnnkit.persistence import keras, pytorch
from rnnkit.persistence.files import load, save

__all__ = ["keras", "load", "pytorch", "save"]
