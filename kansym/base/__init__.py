"""What every other room stands on: errors, signals, storage, compilation, budgets, one least-squares core.

Nothing here knows a function, a table or a formula. Not here: anything with a word of the domain in its name.
"""
