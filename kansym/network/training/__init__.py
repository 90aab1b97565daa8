"""How a network is trained: its layers as arrays, losses, optimisers, grids, on processors and devices.

Not here: the network as a person holds it (`network.kan`).
"""
