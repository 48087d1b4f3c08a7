"""The few exceptions and warnings of rnnkit; everything else raises Python's own."""

__all__ = ["FormatError", "MissingExtraError"]


class FormatError(ValueError):
    """A file is not what it should be: damaged, of another kind, or of a later version.

    The message is one sentence that names the file and what is wrong with it.
    """


class MissingExtraError(ImportError):
    """An optional package is needed for what was asked and is not installed.

    The message is one sentence that names the package and the extra that brings it,
    for example ``pip install "rnnkit[onnx]"``.

    Parameters
    ----------
    package : str
        The package that is missing.
    extra : str
        The extra of rnnkit that brings it.
    purpose : str
        What needs it; the sentence begins with it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f'install it with: pip install "rnnkit[{extra}]"'
        )
        self.package = package
        self.extra = extra
