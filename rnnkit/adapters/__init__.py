"""rnnkit's estimators as native ones of other libraries, a module for each of these.

`rnnkit.adapters.aeon` and `rnnkit.adapters.sktime` need the library whose name they bear, and are
imported only where asked for. What translates between its conventions and ours may enter; nothing
here computes.
"""

__all__: list[str] = []
