"""What each operation of the services accepts, by the tier of the account: bytes and pixels."""

from dataclasses import dataclass, replace

_MB = 1024 * 1024
_FREE = "F0"


@dataclass(frozen=True)
class ServiceLimits:
    """What an operation accepts.

    Attributes:
        max_bytes: of the file.
        min_side: of the photo, in pixels.
        max_side: of the photo, in pixels.
    """

    max_bytes: int
    min_side: int
    max_side: int


@dataclass(frozen=True)
class TierLimits:
    """What an operation accepts, where that differs from tier to tier.

    Attributes:
        paid: on every tier that costs something.
        free: on the tier F0.
    """

    paid: ServiceLimits
    free: ServiceLimits

    def at(self, tier: str) -> ServiceLimits:
        """Return the limits of a tier, such as `F0` or `S1`."""
        return self.free if tier == _FREE else self.paid


def _for_text(limits: ServiceLimits) -> TierLimits:
    return TierLimits(limits, replace(limits, max_bytes=4 * _MB))


# Computer Vision 3.2, "Analyze Image", on every tier: 4 MB, sides of 50 to 16,000 pixels.
ANALYZE = ServiceLimits(4 * _MB, 50, 16_000)
# Computer Vision 3.2, "Read": 500 MB, 4 MB on the free tier, sides of 50 to 10,000 pixels.
READ = _for_text(ServiceLimits(500 * _MB, 50, 10_000))
# Document Intelligence 4.0, "Read model": as Read 3.2.
DOCUMENT_READ = _for_text(ServiceLimits(500 * _MB, 50, 10_000))
# Face 1.2, "Detect" and "Add Large Face List Face", on every tier: 6 MB; a face has at least
# 36 pixels.
FACE = ServiceLimits(6 * _MB, 36, 10_000)


def smallest_face(width: int, height: int) -> float:
    """Return the pixels of a face's side from which Azure Face finds it in a picture of this size.

    Microsoft, "Face: input requirements": 36 in a picture of 1920x1080, and proportionally more in
    a larger one.
    """
    longer, shorter = max(width, height), min(width, height)
    return 36 * max(1.0, longer / 1920, shorter / 1080)


# Content Understanding 2025-11-01, "Service quotas and limits", images: 200 MB, sides of 50 to
# 10,000 pixels; the service has no free tier.
CONTENT = ServiceLimits(200 * _MB, 50, 10_000)
