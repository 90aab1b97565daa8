"""Kolmogorov-Arnold networks: layers, training, ensembles, pruning, attribution, and the way to a graph.

Torch is loaded in here alone (and, on request, by exports for it). Not here: turning a curve into a
function (`functions.matching`) or a graph into a formula (`formula`).
"""
