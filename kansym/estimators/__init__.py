"""What a person holds in Python: scikit-learn estimators with PySR's conventions, and the steering session.

Not here: the search and the judgement behind them.
"""
