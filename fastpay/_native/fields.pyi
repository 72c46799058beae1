"""What the head of a response is made of; nothing here is for Python."""
