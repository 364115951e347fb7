"""What an operator typed, as one bounded task, a refusal, or a question back."""
