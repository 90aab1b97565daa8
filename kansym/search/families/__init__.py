"""Known families of curves: as data, started, projected, named, and in their customary constants.

The families themselves are in library/families.toml.
"""
