"""The search as one tree: problems, moves that make simpler ones, and what answers them.

Not here: the fits of `search.structure` that it asks.
"""
