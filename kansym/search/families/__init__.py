"""Curves of one argument and known families: sums of decays and waves, families as data, fitted and named.

The families themselves are in library/families.toml.
"""
