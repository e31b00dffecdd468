"""What a person sees in the sample photos."""

GROUPS = {"group1.jpg": 3, "group2.jpg": 3, "group3.jpg": 3} | {
    "group4.jpg": 4,
    "group5.jpg": 5,
    "group6.jpg": 4,
}
"""Number of faces in each photo."""
NO_FACES = ("coffee.png", "chelsea.png", "china.jpg", "flower.jpg", "page.png", "rocket.jpg")
ONE_PERSON = ("obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg")
OTHERS = ("biden.jpg", "grace_hopper.jpg", "astronaut.png", "camera.png")
"""Each another person."""
PAGE = (
    "Region-based segmentation Let us first determine markers of the coins and the background. "
    "These markers are pixels that we can label unambiguously as either object or background. "
    "Here, the markers are found at the two extreme parts of the histogram of grey values:"
)
"""The text of page.png; the line of code below it is cut off."""
SIGNS = {
    "coffee.png": "Field Kitchen opens 06:30",
    "china.jpg": "Red Cross Shelter B12",
    "rocket.jpg": "Water point 250 m",
    "chelsea.png": "Lost pets: ask at Tent 7",
    "flower.jpg": "Hospital entrance Ambulances only",
    "motorcycle_left.png": "Convoy 4127 to Kisumu",
}
"""Signs that the benchmark writes into photos."""
