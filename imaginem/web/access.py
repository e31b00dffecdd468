"""Who may call: decided by a setting at the start, never guessed from a request.

On Azure, platform authentication (Easy Auth) runs in front of the app, and only it can set the
principal headers; they are trusted only where the setting says that it runs.
"""

import base64
import json

from fastapi import HTTPException

from imaginem.usecases.access import EVERYTHING, ROLES, Caller

_ROLE_CLAIMS = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
_GROUP_CLAIMS = ("groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")
_NAME_CLAIMS = (
    "preferred_username",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
    "appid",
    "azp",
)


class Access:
    """Lets requests in by the mode of `HTTP_ACCESS`: `local`, `health` or `platform`."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def caller(self, principal: str) -> Caller:
        """Return who calls.

        Args:
            principal: the header that platform authentication sets; empty without a login.

        Raises:
            HTTPException: 401 without a login, 403 without permission.
        """
        if self.mode == "local":
            return EVERYTHING
        if self.mode != "platform":
            raise HTTPException(
                403, "the API is closed: HTTP_ACCESS is 'health'; see docs/settings.md"
            )
        if not principal:
            raise HTTPException(401, "log in first")
        caller = caller_of(principal)
        if caller is None:
            names = ", ".join(ROLES)
            raise HTTPException(403, f"you have none of the app roles {names}: ask for one")
        return caller


def caller_of(principal: str) -> Caller | None:
    """Return the caller that a principal header names; None without an app role."""
    claims = _claims(principal)
    own_roles = [role for role in ROLES if ("role", role) in claims]
    if not own_roles:
        return None
    groups = frozenset(value for kind, value in claims if kind == "group")
    names = [value for kind, value in claims if kind == "name"]
    role = own_roles[-1]
    return Caller(names[0] if names else "unnamed", role, None if role == "operator" else groups)


def _claims(principal: str) -> list[tuple[str, str]]:
    """Return the role, group and name claims of a principal header; none if it is not valid."""
    try:
        decoded = json.loads(base64.b64decode(principal, validate=True))
        role_types = {*_ROLE_CLAIMS, decoded.get("role_typ") or "roles"}
        pairs = [(str(claim["typ"]), str(claim["val"])) for claim in decoded["claims"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    claims = [("role", value) for kind, value in pairs if kind in role_types]
    claims += [("group", value) for kind, value in pairs if kind in _GROUP_CLAIMS]
    for name in _NAME_CLAIMS:  # the most readable one first
        claims += [("name", value) for kind, value in pairs if kind == name]
    return claims
