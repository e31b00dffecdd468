"""What happens to a job message: steps, one step execution, fences, retries, poison."""
