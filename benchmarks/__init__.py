"""Measures the figures that docs/architecture.md sets budgets for; `make bench` runs it."""
