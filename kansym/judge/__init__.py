"""What a formula is worth: description length, held-out rows, the front, the choice.

Every decision between formulas is taken in here, by one scorer. Not here: making formulas (`search`) and
fitting their constants (`formula`).
"""
