"""Lines in many scripts, rendered, and how much of them is read."""
