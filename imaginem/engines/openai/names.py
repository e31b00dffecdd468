"""Names of engines behind an OpenAI-compatible server."""

from imaginem.engines.openai.prompts import digest


def named_after(model: str, prompt: str) -> str:
    """Return an engine's name: its model, and a digest of what it is asked."""
    return f"openai-{model}-{digest(prompt)}"
