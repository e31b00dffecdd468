"""What people use now, measured beside Imaginem in a virtual environment of its own.

`scripts/` runs there and imports nothing of Imaginem.
"""
