"""Engines behind any OpenAI-compatible server: llama-server, vLLM, Ollama, Azure AI Foundry."""
