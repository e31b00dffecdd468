"""In-memory fakes of every port; they pass the same contract suite as the real adapters."""
