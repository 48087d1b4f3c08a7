"""What estimators are constructed with: an entry for each parameter, its checks, the docstrings.

Whatever a user may pass to a constructor enters here once; nothing here looks at data.
"""
