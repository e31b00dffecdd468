"""Seven steps that do nothing: what is left is what a pipeline costs by itself."""
