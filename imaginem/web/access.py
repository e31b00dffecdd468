"""Who may call: decided by a setting at the start, never guessed from a request.

Platform authentication (Easy Auth) stands before the app on Azure and alone may set the
principal headers; so they are believed only where the setting says that it is there.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Request

from imaginem.ports import Batches, Groups

ROLES = ("viewer", "caseworker", "operator")
"""App roles, each of which may do all that those before it may."""
_ROLE_CLAIMS = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
_GROUP_CLAIMS = ("groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups")
_NAME_CLAIMS = (
    "preferred_username",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
    "appid",
    "azp",
)
_LOCAL_NAME = "local user"


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: for the record.
        role: the most that the caller may do.
        groups: batches of other groups are hidden; None sees everything.
    """

    name: str
    role: str
    groups: Groups = frozenset()

    def may(self, role: str) -> bool:
        """Tell whether the caller may do what needs this role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def may_see(self, group: str) -> bool:
        """Tell whether the caller may see a group's batches."""
        return not group or self.groups is None or group in self.groups


EVERYTHING = Caller(_LOCAL_NAME, "operator", None)


class Access:
    """Lets requests in by the mode of `HTTP_ACCESS`: `local`, `health` or `platform`."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def needs(self, role: str) -> Any:
        """Return a dependency that gives the caller, who has this role at least.

        Raises:
            HTTPException: 401 for one who has not logged in, 403 for one who may not.
        """
        return Depends(self._checker(role))

    def _checker(self, role: str) -> Callable[..., Caller]:
        def check(
            request: Request,
            principal: Annotated[
                str, Header(alias="X-MS-CLIENT-PRINCIPAL", include_in_schema=False)
            ] = "",
        ) -> Caller:
            caller = self._caller(principal)
            if not caller.may(role):
                raise HTTPException(403, f"this needs the app role {role}; yours is {caller.role}")
            request.state.caller = caller
            return caller

        check.role = role  # type: ignore[attr-defined]  # for the table of routes and roles
        return check

    def _caller(self, principal: str) -> Caller:
        if self.mode == "local":
            return EVERYTHING
        if self.mode != "platform":
            raise HTTPException(
                403, "the API is shut: HTTP_ACCESS is 'health'; see docs/settings.md"
            )
        if not principal:
            raise HTTPException(401, "log in first")
        caller = caller_of(principal)
        if caller is None:
            names = ", ".join(ROLES)
            raise HTTPException(403, f"you have none of the app roles {names}: ask for one")
        return caller


def caller_of(principal: str) -> Caller | None:
    """Return who is in a principal header; None if nobody with a role is."""
    claims = _claims(principal)
    own_roles = [role for role in ROLES if ("role", role) in claims]
    if not own_roles:
        return None
    groups = frozenset(value for kind, value in claims if kind == "group")
    names = [value for kind, value in claims if kind == "name"]
    role = own_roles[-1]
    return Caller(names[0] if names else "unnamed", role, None if role == "operator" else groups)


def _claims(principal: str) -> list[tuple[str, str]]:
    """Return the claims that matter here, by our own names; none if it is no such header."""
    try:
        told = json.loads(base64.b64decode(principal, validate=True))
        role_types = {*_ROLE_CLAIMS, told.get("role_typ") or "roles"}
        pairs = [(str(claim["typ"]), str(claim["val"])) for claim in told["claims"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    found = [("role", value) for kind, value in pairs if kind in role_types]
    found += [("group", value) for kind, value in pairs if kind in _GROUP_CLAIMS]
    for name in _NAME_CLAIMS:  # the most telling one first
        found += [("name", value) for kind, value in pairs if kind == name]
    return found


def check_batch(batches: Batches, batch_id: str, caller: Caller) -> None:
    """Check that a caller may see a batch.

    Raises:
        HTTPException: 404, as if it did not exist.
    """
    if caller.groups is None:
        return
    if not caller.may_see(batches.groups_of([batch_id]).get(batch_id, "")):
        raise HTTPException(404, f"there is no batch {batch_id}")
