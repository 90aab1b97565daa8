"""What proposes formulas: producers, the order in which they are asked, and what they are made of.

Not here: whether a formula is any good (`judge`), and when a search ends (`pipeline.flow`).
"""
