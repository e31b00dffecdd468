"""Schema migrations (Alembic), run by `imaginem db upgrade` and never by the app on a server."""

HEAD = "photo_words"
"""The newest revision: what the code needs. Known here so that the app need not load Alembic."""
