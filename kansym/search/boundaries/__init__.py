"""What separates two classes: formulas g that vanish on the border.

Not here: classes as scikit-learn sees them (`estimators.classes`).
"""
