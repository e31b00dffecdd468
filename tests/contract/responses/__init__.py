"""Answers of the shapes that Microsoft publishes, with our own bodies: see tests/answering.py."""

SPEC = "Azure/azure-rest-api-specs: specification"
DOCS = "MicrosoftDocs/azure-ai-docs: articles/ai-services/computer-vision"
VISION = f"{SPEC}/cognitiveservices/data-plane/ComputerVision"
FACE = f"{SPEC}/ai/Face/examples"
OLD_FACE = f"{SPEC}/cognitiveservices/data-plane/Face"
