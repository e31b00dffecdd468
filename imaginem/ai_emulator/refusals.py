"""The services' refusals, in the shapes that their documentation shows."""

from starlette.responses import JSONResponse

from imaginem.ai_emulator.images import BadImage

_WRONG_KEY = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
    "valid key for an active subscription and use a correct regional API endpoint for your "
    "resource."
)
_NO_APPROVAL = (
    "Feature is not supported, missing approval for one or more of the following features: "
    "Identification,Verification. Please apply for access at https://aka.ms/facerecognition"
)


class Refusal(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        code: of the error.
        message: for people.
        inner: code of the inner error, if the answer has one.
        retry_after: seconds, for the header; 0 for no header.
    """

    def __init__(
        self, status: int, code: str, message: str, *, inner: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.inner, self.retry_after = inner, retry_after

    def body(self) -> dict[str, object]:
        """Return the error as JSON."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner:
            error["innererror"] = {"code": self.inner, "message": self.message}
        return error

    def answer(self) -> JSONResponse:
        """Return the HTTP response."""
        headers = {"x-ms-error-code": self.inner or self.code}
        if self.retry_after:
            headers["Retry-After"] = str(self.retry_after)
        return JSONResponse({"error": self.body()}, self.status, headers)


def wrong_key() -> Refusal:
    """Refuse a key or token."""
    return Refusal(401, "401", _WRONG_KEY)


def over_quota(service: str, seconds: int) -> Refusal:
    """Refuse a call that is over the quota."""
    return Refusal(
        429,
        "429",
        f"Requests to {service} have exceeded rate limit of your current pricing tier. Please "
        f"retry after {seconds} second. Please contact Azure support service if you would like to "
        "further increase the default rate limit.",
        retry_after=seconds,
    )


def out_of_volume(seconds: int) -> Refusal:
    """Refuse a call since those of the month are used up, as the gateway does."""
    hours, rest = divmod(seconds, 3600)
    clock = f"{hours // 24}.{hours % 24:02}:{rest // 60:02}:{rest % 60:02}"
    message = f"Out of call volume quota. Quota will be replenished in {clock}."
    return Refusal(403, "403", message, retry_after=seconds)


def no_approval() -> Refusal:
    """Refuse to identify people without Microsoft's approval."""
    return Refusal(403, "InvalidRequest", _NO_APPROVAL, inner="UnsupportedFeature")


def bad_image(inner: str, message: str) -> Refusal:
    """Refuse a photo, as Computer Vision does."""
    return Refusal(400, "InvalidRequest", message, inner=inner)


def bad_content(bad: BadImage) -> Refusal:
    """Refuse a photo, as Document Intelligence and Content Understanding do."""
    if bad.what == "format":
        return bad_image(
            "InvalidContent",
            "The file is corrupted or format is unsupported. Refer to documentation for the list "
            "of supported formats.",
        )
    if bad.what == "bytes":
        return bad_image(
            "InvalidContentLength",
            "The input image is too large. Refer to documentation for the maximum file size.",
        )
    return bad_image(
        "InvalidContentDimensions",
        "The input image dimensions are out of range. Refer to documentation for supported image "
        "dimensions.",
    )


def check_version(asked: str | None, version: str) -> None:
    """Refuse a version of an API that we don't play.

    Raises:
        Refusal: it is another one, or none.
    """
    if asked != version:
        raise Refusal(404, "NotFound", "Resource not found.")


def bad_argument(message: str) -> Refusal:
    """Refuse a parameter, as Face does."""
    return Refusal(400, "BadArgument", message)
