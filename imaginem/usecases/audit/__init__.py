"""The audit trail: who did what, in chains whose signed heads show what was changed."""
