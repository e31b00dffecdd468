"""How several steps run in one delivery: what PIPELINE_FUSION can be in this tree."""

from imaginem.config.settings import Settings

SETTING = "PIPELINE_FUSION"


def modes() -> dict[str, dict[str, str]]:
    """Return the settings of each way to run steps, by name.

    A tree that does not know the setting runs one step in each delivery.
    """
    if SETTING not in Settings.declared():
        return {"one step a delivery": {}}
    return {"one step a delivery": {SETTING: "off"}, "fused": {SETTING: "auto"}}
