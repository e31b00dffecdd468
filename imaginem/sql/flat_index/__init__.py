"""Searches that look at every embedding of a model; all of it needs numpy.

A package for Azure without the local engine leaves this folder out: nothing there has embeddings.
"""
