"""A seeded simulator of the whole pipeline: see docs/guarantees.md, "How it is tested"."""
