"""Resources: what each request means, as a command or a question."""
