"""Texts of what own steps found."""

OWN = {
    "own.nothing": "Nothing found.",
    "own.untold": "The step does not tell: {fields}.",
    "own.yes": "Yes",
    "own.no": "No",
    "own.where": "On the photo",
    "own.more": "{count} more are not shown.",
    "own.not_asked": "Not looked for, since they are no steps of this job: {steps}.",
    "photos.where": "Found by own steps",
    "photos.where.help": (
        "A field with =, !=, <, <=, > or >= and a value; several with “and” between."
    ),
}
