"""Scripts that run in .venv-bench, each as a program of its own."""
