"""The types of `parameters.pyx`: what Python sees of it, objects that C alone uses."""

class Parameter:
    """One row of the table."""

class LayerParameters:
    """The parameters of one call structure."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]: ...
