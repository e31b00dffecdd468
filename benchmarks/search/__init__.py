"""Search among many faces: through our port, and with other indexes."""
