"""Settings by subject, each declared once: name, type, default, meaning, and its place on Azure."""
