"""Odd messages, photos, addresses and API runs, made by the thousand."""
