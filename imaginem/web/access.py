"""Who may call the API: decided by a setting at the start, never guessed from a request.

Platform authentication (Easy Auth) stands before the app on Azure and alone may set the
principal headers; so they are believed only where the setting says that it is there.
"""

import base64
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException

ROLES = ("viewer", "caseworker", "operator")
"""App roles, each of which may do all that those before it may."""
_ROLE_CLAIMS = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")


class Access:
    """Lets requests in by the mode of `HTTP_ACCESS`: `local`, `health` or `platform`."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def needs(self, role: str) -> Any:
        """Return a dependency for routes that need a role.

        Args:
            role: the least one that may call.
        """
        enough = ROLES[ROLES.index(role) :]
        return Depends(self._checker(enough))

    def _checker(self, enough: tuple[str, ...]) -> Callable[..., None]:
        def check(
            principal: Annotated[
                str, Header(alias="X-MS-CLIENT-PRINCIPAL", include_in_schema=False)
            ] = "",
        ) -> None:
            if self.mode == "local":
                return
            if self.mode != "platform":
                raise HTTPException(
                    403, "the API is shut: HTTP_ACCESS is 'health'; see docs/settings.md"
                )
            if not principal:
                raise HTTPException(401, "log in first")
            if not set(enough) & roles_of(principal):
                raise HTTPException(403, f"this needs the app role {' or '.join(enough)}")

        return check


def roles_of(principal: str) -> set[str]:
    """Return the app roles in a principal header; none if it is no such header."""
    try:
        told = json.loads(base64.b64decode(principal, validate=True))
        own = told.get("role_typ")
        claims = told["claims"]
        return {
            str(claim["val"]) for claim in claims if claim["typ"] in {*_ROLE_CLAIMS, own or "roles"}
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
