"""Short expressions, all of them: pools, joins that meet in the middle, and the plainest for few rows."""
