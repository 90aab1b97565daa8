"""Laws of motion: from time series to the equations that made them.

    trajectories -> smooth curves -> right sides, one a state -> integrated form -> shooting -> Dynamics

Slopes of the smooth curves are only the first guess; the integrated form and simulation prove a law. Not
here: the search for a formula of several columns (`search`) and what a formula costs (`judge`, `base`).
"""
