"""The structure search: monomials times a curve of one argument, sums of terms, merged columns.

Its model classes, what fits them, and how their curves are named. Not here: moves (`search.tree`).
"""
