"""The types of `plan.pyx`: what Python sees of it, an object that C alone uses."""

class PlanCopy:
    """The copy of a plan."""
