"""The operator's console: pages made on the server, which work without scripts."""
