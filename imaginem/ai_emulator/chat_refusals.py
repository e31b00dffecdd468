"""How OpenAI-compatible servers refuse, each in its own form.

After the documentation of llama-server, vLLM, Ollama and Azure, and the bodies that error reports
quote; no such server was run.
"""

from typing import Any, Literal

from starlette.responses import JSONResponse

ServerKind = Literal["llama-server", "vllm", "ollama", "azure"]


class ChatRefusal(Exception):
    """An answer that is no success.

    Args:
        status: of HTTP.
        body: as the server writes it.
        retry_after: seconds, for the header; 0 for no header.
    """

    def __init__(self, status: int, body: dict[str, Any], retry_after: int = 0) -> None:
        super().__init__(status)
        self.status, self.body, self.retry_after = status, body, retry_after

    def answer(self) -> JSONResponse:
        """Return the HTTP response."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return JSONResponse(self.body, self.status, headers)


def refusal(
    server: ServerKind,
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    retry_after: int = 0,
) -> ChatRefusal:
    """Return a refusal in a server's form.

    Args:
        server: whose form it is.
        status: of HTTP.
        message: for people.
        kind: of the error, where the form has a type.
        code: of the error, where the form has one that is no status.
        param: of the request that is wrong.
        retry_after: seconds, for the header; 0 for no header.
    """
    error: dict[str, Any]
    if server == "llama-server":
        error = {"code": status, "message": message, "type": kind}
    elif server == "vllm":
        error = {"message": message, "type": kind, "param": param, "code": status}
    elif server == "ollama":
        error = {"message": message, "type": kind, "param": param, "code": code}
    else:
        error = {"code": code or str(status), "message": message, "type": kind, "param": param}
    return ChatRefusal(status, {"error": error}, retry_after)


def wrong_key(server: ServerKind) -> ChatRefusal:
    """Refuse a key."""
    messages = {
        "llama-server": "Invalid API Key",
        "vllm": "Unauthorized",
        "ollama": "unauthorized",
        "azure": "Access denied due to invalid subscription key or wrong API endpoint.",
    }
    if server == "vllm":  # its gatekeeper stands before its errors
        return ChatRefusal(401, {"error": messages[server]})
    return refusal(server, 401, messages[server], kind="authentication_error")


def no_model(server: ServerKind, model: str) -> ChatRefusal:
    """Refuse a model that is not there."""
    if server == "azure":
        message = "The API deployment for this resource does not exist."
        return refusal(server, 404, message, code="DeploymentNotFound")
    if server == "ollama":
        message = f'model "{model}" not found, try pulling it first'
        return refusal(server, 404, message, kind="api_error")
    return refusal(server, 404, f"The model `{model}` does not exist.", kind="NotFoundError")


def no_pictures(server: ServerKind, model: str) -> ChatRefusal:
    """Refuse a picture, as a model does that takes none."""
    if server == "llama-server":
        message = "image input is not supported - hint: you may need to provide the mmproj"
        return refusal(server, 500, message, kind="server_error")
    return refusal(server, 400, f"{model} is not a multimodal model", kind="BadRequestError")


def loading() -> ChatRefusal:
    """Refuse a call while llama-server loads its model."""
    return refusal("llama-server", 503, "Loading model", kind="unavailable_error")


def too_long(server: ServerKind) -> ChatRefusal:
    """Refuse a request that has more tokens than the model takes."""
    if server == "llama-server":
        message = "the request exceeds the available context size, try increasing it"
        return refusal(server, 400, message, kind="exceed_context_size_error")
    message = "This model's maximum context length is 4096 tokens. Please reduce the length."
    return refusal(server, 400, message, code="context_length_exceeded", param="messages")


def over_limit(server: ServerKind, seconds: int) -> ChatRefusal:
    """Refuse a call that is over the quota."""
    message = f"Requests have exceeded the token rate limit. Please retry after {seconds} seconds."
    return refusal(server, 429, message, kind="rate_limit_error", retry_after=seconds)


def unknown_format(server: ServerKind, format_name: str) -> ChatRefusal:
    """Refuse a format of answers."""
    message = f"Invalid parameter: 'response_format' of type '{format_name}' is not supported."
    return refusal(server, 400, message, param="response_format")


def filtered() -> ChatRefusal:
    """Refuse a photo, as Azure's filter does before the model sees it."""
    message = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management "
        "policy."
    )
    body = refusal("azure", 400, message, code="content_filter", param="prompt").body
    body["error"]["innererror"] = {"code": "ResponsibleAIPolicyViolation"}
    return ChatRefusal(400, body)
