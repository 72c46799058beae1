"""What is given back instead of a coroutine: what is ready already, and what nobody needs to wait for."""
