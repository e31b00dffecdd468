"""Settings: read once from the environment and checked; the identity of the app."""
