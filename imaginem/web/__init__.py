"""The HTTP app."""

from imaginem.web.app import make_app

__all__ = ["make_app"]
