"""A law as a SymPy expression: compiled, its constants fitted and recognised, its curves snapped.

Not here: whether a formula is any good (`judge`) and where it came from (`search`).
"""
