"""Ratios of two polynomials with few terms: the arithmetic on monomials, and the choice of terms."""
