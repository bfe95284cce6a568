"""Finding values that no source gives: fitted to references, within bounds, and written down with how they were found.

Floats are at home here, in the search; what a search tries goes into a run as an exact decimal.
"""
