"""The analyzer of ours at Content Understanding: what a generative model is asked of each photo.

Its id holds a digest of its definition. So two versions of this app, or two models, have analyzers
side by side, and whoever makes one that exists already makes the same one.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from imaginem.ports.categories import CATEGORIES

_SHARE = "a number from 0, surely not, to 1, surely"
_FIELDS: Mapping[str, Any] = {
    "Tags": {
        "type": "array",
        "description": "Up to 20 words, in English and in small letters, for the things, animals, "
        "people, places and actions that can be seen in the photo; the surest first. Never name a "
        "person, and never guess anybody's age, sex, origin, religion or health.",
        "items": {
            "type": "object",
            "properties": {
                "Name": {"type": "string", "method": "generate", "description": "One word"},
                "Confidence": {
                    "type": "number",
                    "method": "generate",
                    "description": f"How sure it is that the photo shows it: {_SHARE}",
                },
            },
        },
    },
    "Caption": {
        "type": "string",
        "method": "generate",
        "description": "One plain English sentence that says what the photo shows, without "
        "naming or judging anybody.",
    },
    "CaptionConfidence": {
        "type": "number",
        "method": "generate",
        "description": f"How sure it is that the caption is true: {_SHARE}",
    },
    "Categories": {
        "type": "array",
        "description": "The one to three categories that fit the whole photo best. A name that "
        "ends in an underscore is for what no narrower one fits.",
        "items": {
            "type": "object",
            "properties": {
                "Name": {
                    "type": "string",
                    "method": "classify",
                    "enum": list(CATEGORIES),
                    "description": "The category",
                },
                "Score": {
                    "type": "number",
                    "method": "generate",
                    "description": f"How well it fits: {_SHARE}",
                },
            },
        },
    },
    "AdultScore": {
        "type": "number",
        "method": "generate",
        "description": f"Whether the photo shows sexual acts or bare sexual parts: {_SHARE}",
    },
    "RacyScore": {
        "type": "number",
        "method": "generate",
        "description": f"Whether the photo is sexually suggestive: {_SHARE}",
    },
    "GoreScore": {
        "type": "number",
        "method": "generate",
        "description": f"Whether the photo shows blood, wounds or dead bodies: {_SHARE}",
    },
}


def definition(model: str) -> dict[str, Any]:
    """Return the analyzer as the service takes it.

    Args:
        model: name or alias of the generative model.
    """
    return {
        "description": "What can be seen in a photo: tags, a caption, categories, adult content",
        "baseAnalyzerId": "prebuilt-image",
        "models": {"completion": model},
        "fieldSchema": {"name": "Photo", "fields": dict(_FIELDS)},
    }


def analyzer_id(model: str) -> str:
    """Return the analyzer's id: letters, digits and underscores, which is what the service takes.

    Args:
        model: name or alias of the generative model.
    """
    text = json.dumps(definition(model), sort_keys=True)
    return f"imaginem_photo_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
