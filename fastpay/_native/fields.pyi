"""Parts of a response's head; for compiled code only."""
