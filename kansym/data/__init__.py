"""From a file or frame to named finite columns: reading, units, dimensions, scales, splits.

Not here: anything that looks for a law, and the shipped tables themselves (`datasets/`).
"""
