"""Who may call the HTTP API, and whether the app runs on Azure."""

from typing import Annotated, Any

from imaginem.config.declare import Expected, Section, setting
from imaginem.config.value_types import one_of

ACCESS = ("local", "health", "platform")

HttpAccess = Annotated[str, one_of(ACCESS), Expected(" or ".join(ACCESS))]


def _usual_access(above: dict[str, Any]) -> str:
    return "health" if above["site_name"] else "local"


class AccessSettings(Section):
    """Where the app runs, and for whom."""

    site_name: str = setting(
        "WEBSITE_SITE_NAME",
        "",
        "set by Azure itself: it tells the app that it runs there",
        not_on_azure="set by Azure itself",
    )
    platform_authentication: str = setting(
        "WEBSITE_AUTH_ENABLED",
        "",
        "set by Azure itself: `False` while platform authentication is off",
        not_on_azure="set by Azure itself",
    )
    http_access: HttpAccess = setting(
        "HTTP_ACCESS",
        _usual_access,
        "who may call the API: `local` (everybody who reaches it; never on Azure), `health` "
        "(nothing but the health page), `platform` (whom platform authentication let in, with "
        "an app role)",
        usual="`local`; on Azure `health`",
    )

    @property
    def on_azure(self) -> bool:
        """Tell whether the app runs on Azure."""
        return bool(self.site_name)


def access_problems(settings: AccessSettings) -> list[str]:
    """Return what would open the API to more people than are meant."""
    if not settings.on_azure:
        return []
    if settings.http_access == "local":
        return [
            "HTTP_ACCESS is 'local', which opens the API to everybody on Azure: set 'platform' "
            "with platform authentication on, or 'health'"
        ]
    if settings.http_access == "platform" and settings.platform_authentication.lower() == "false":
        return [
            "HTTP_ACCESS is 'platform', but platform authentication is off: turn it on "
            "(authSettingsV2), or set 'health'"
        ]
    return []
