"""What services cost."""

from imaginem.config.declare import Section, setting


class CostSettings(Section):
    """Where prices are from."""

    prices: str = setting(
        "PRICES",
        "",
        "path of a JSON file with your own prices, see [cost](cost.md#prices-of-your-own)",
        usual="the list that comes with Imaginem",
        not_on_azure="the file must be there first: add it to the package, then set this by hand",
    )
