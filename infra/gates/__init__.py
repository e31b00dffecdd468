"""Checks the Bicep files without an Azure account: `python -m infra.gates`."""
