"""HTTP/1.1 as a client: what an answer is, one connection, and the connections to one server."""
