"""What a person says about a law: templates with unknown functions, hypotheses, categories.

Not here: the grammar of what is written (`formula.grammar`), and a person's guess (`judge.guess`).
"""
