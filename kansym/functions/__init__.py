"""Functions of one argument: known ones, free ones, fitted ones, and graphs composed of them.

The library (TOML -> functions), the allow-list parser, what follows from an entry (derivation, byte code,
kernels, landmarks of a shape), splines, the affine grid-search fitter, and the frozen graph of curves.
Not here: networks that are trained (`network`), formulas of several columns (`formula`).
"""
