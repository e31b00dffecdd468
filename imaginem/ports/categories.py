"""Azure Vision's categories, and how people read and write them.

Outputs, SQL and the API keep Azure's names, such as `people_` and `text_sign`.
"""

CATEGORIES = (
    "abstract_", "abstract_net", "abstract_nonphoto", "abstract_rect", "abstract_shape",
    "abstract_texture", "animal_", "animal_bird", "animal_cat", "animal_dog", "animal_horse",
    "animal_panda", "building_", "building_arch", "building_brickwall", "building_church",
    "building_corner", "building_doorwindows", "building_pillar", "building_stair",
    "building_street", "dark_", "dark_fire", "dark_fireworks", "dark_light", "drink_", "drink_can",
    "food_", "food_bread", "food_fastfood", "food_grilled", "food_pizza",
    "indoor_", "indoor_churchwindow", "indoor_court", "indoor_doorwindows", "indoor_marketstore",
    "indoor_room", "indoor_venue", "object_screen", "object_sculpture", "others_", "outdoor_",
    "outdoor_city", "outdoor_field", "outdoor_grass", "outdoor_house", "outdoor_mountain",
    "outdoor_oceanbeach", "outdoor_playground", "outdoor_pool", "outdoor_railway", "outdoor_road",
    "outdoor_sportsfield", "outdoor_stonerock", "outdoor_street", "outdoor_water",
    "outdoor_waterside", "people_", "people_baby", "people_crowd", "people_group", "people_hand",
    "people_many", "people_portrait", "people_show", "people_swimming", "people_tattoo",
    "people_young", "plant_", "plant_branch", "plant_flower", "plant_leaves", "plant_tree",
    "sky_cloud", "sky_object", "sky_sun", "text_", "text_mag", "text_map", "text_menu", "text_sign",
    "trans_bicycle", "trans_bus", "trans_car", "trans_trainstation",
)  # fmt: skip
"""The 86 of Azure's "image categorization"; the local engine uses some of them."""


def category_title(name: str) -> str:
    """Return a category as people read it: `people` for `people_`, `text sign` for `text_sign`.

    Names of other engines, which may hold anything, stay as they are.
    """
    return _TITLES.get(name, name)


def category_named(title: str) -> str:
    """Return the category that people call so; what is no title is returned as it is."""
    return _NAMES.get(title, title)


_TITLES = {
    name: name.replace("trans_", "transport_").replace("_", " ").strip() for name in CATEGORIES
}
_NAMES = {title: name for name, title in _TITLES.items()}
