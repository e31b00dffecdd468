"""Measures where each budget of the architecture stands; `make bench`."""
