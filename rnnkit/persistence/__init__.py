"""Models as files, and in the forms of other libraries.

What reads a fitted estimator into bytes or arrays, and back, may enter; what it computes may not.
"""

from rnnkit.persistence.files import load, save

__all__ = ["load", "save"]
