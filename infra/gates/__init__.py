"""Checks of the Bicep files that need no Azure: `python -m infra.gates`."""
