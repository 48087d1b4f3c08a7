"""Where the documentation stands on the web: the page that an estimator's picture links to."""

from importlib import metadata

__all__ = ["Documented"]

_LABEL = "documentation"


def _site() -> str | None:
    """Return the address in the metadata of the installed package; None where it names none."""
    try:
        entries = metadata.metadata("rnnkit").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # run from sources that nobody installed
        return None
    for entry in entries:
        label, _, address = entry.partition(",")
        if label.strip().lower() == _LABEL and address.strip():
            return str(address).strip().rstrip("/")
    return None


class Documented:
    """What lets scikit-learn's picture of an estimator link to the page of its class."""

    def _get_doc_link(self) -> str:
        """Return the address of the class's page, empty where the site has no known address.

        A class of the user's that inherits from one of rnnkit's has no page there.
        """
        kind = type(self)
        package, _, rest = kind.__module__.partition(".")
        site = _site() if package == "rnnkit" else None
        if site is None:
            return ""
        room = rest.partition(".")[0]
        path = "rnnkit" if room == "estimators" else f"rnnkit.{room}"
        return f"{site}/generated/{path}.{kind.__name__}.html"
