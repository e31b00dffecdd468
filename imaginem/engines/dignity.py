"""Words that are never told of a photo, whichever engine finds them: bodies, underwear, make-up.

Azure's services name such things on portraits as ImageNet does. Nobody is traced by them, and they
are undignified beside a name.
"""

import re
from itertools import pairwise

from imaginem.outputs import Description, ImageAnalysis, ObjectKind


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


UNDERWEAR = _listed(
    "beachwear bikini bikinis bodysuit bra bras brassiere brassieres briefs camisole chemise "
    "corset diaper diapers girdle hosiery jockstrap knickers leotard lingerie loincloth "
    "maillot nappies nappy negligee nightgown nightie nightwear nylons pantie panties panty "
    "pantyhose speedo stockings swimsuit swimsuits swimwear thong tights underclothes undergarment "
    "undergarments underpants undershirt underwear undies"
)
"""Refused wherever the word stands; "swimming trunks" and the like are in `_PHRASES`."""
BODY = _listed(
    "abdomen ankle arm armpit barechested barefeet barefoot belly bellies bicep biceps body bosom "
    "breast bust butt buttock cheek chest chin cleavage elbow eyebrow eyelash eyelid finger flesh "
    "foot feet forehead genital genitals groin hip jaw knee leg lip mouth naked nape navel neck "
    "nipple nose nude nudist nudity pelvis penis shirtless shoulder skin stomach thigh throat toe "
    "topless torso vagina waist wrist"
)
"""Refused as the last word, which names the thing, in the plural too: "human leg", "legs", and not
"leg warmer"."""
GROOMING = _listed("concealer cosmetics eyeliner eyeshadow lipstick makeup mascara wig wigs")
"""Refused wherever the word stands."""
_PHRASES = frozenset(
    {
        "bare chested",
        "bathing suit",
        "body part",
        "body parts",
        "boxer shorts",
        "face powder",
        "g string",
        "hair spray",
        "lip gloss",
        "make up",
        "nail polish",
        "swim suit",
        "swimming trunks",
    }
)
_NO_BODY = frozenset(
    {
        "car body",
        "chicken breast",
        "ice chest",
        "medicine chest",
        "river mouth",
        "table leg",
        "treasure chest",
    }
)
_BARE = _listed(
    "barechested breasts buttocks cleavage genitals naked nude nudist nudity penis shirtless "
    "topless vagina"
)
_WORD = re.compile(r"[^\W\d_]+")


def is_refused(name: str) -> bool:
    """Tell whether a label is for a body, underwear or make-up. Case and signs don't matter."""
    words = _WORD.findall(name.casefold())
    plain = " ".join(words)
    if not words or plain in _NO_BODY:
        return False
    return not BODY.isdisjoint({words[-1], words[-1].removesuffix("s")}) or _has_garment(words)


def tells_of_bodies(sentence: str) -> bool:
    """Tell whether a sentence names underwear, make-up or bareness; an arm or a leg may stay."""
    words = _WORD.findall(sentence.casefold())
    return _has_garment(words) or not _BARE.isdisjoint(words)


def dignified(analysis: ImageAnalysis) -> ImageAnalysis:
    """Return an analysis without refused words in tags, objects, their kinds and sentences.

    A sentence that has one is left out; `adult` stays as it is.
    """
    described = analysis.description
    return analysis.model_copy(
        update={
            "tags": [tag for tag in analysis.tags if not is_refused(tag.name)],
            "description": Description(
                tags=[name for name in described.tags if not is_refused(name)],
                captions=[each for each in described.captions if not tells_of_bodies(each.text)],
            ),
            "objects": [
                thing.model_copy(update={"parent": _kind(thing.parent)})
                for thing in analysis.objects
                if not is_refused(thing.object)
            ],
        }
    )


def _has_garment(words: list[str]) -> bool:
    pairs = {" ".join(pair) for pair in pairwise(words)}
    return not ((UNDERWEAR | GROOMING).isdisjoint(words) and _PHRASES.isdisjoint(pairs))


def _kind(kind: ObjectKind | None) -> ObjectKind | None:
    """Return the wider words for an object, without refused ones."""
    if kind is None:
        return None
    wider = _kind(kind.parent)
    return wider if is_refused(kind.object) else kind.model_copy(update={"parent": wider})
