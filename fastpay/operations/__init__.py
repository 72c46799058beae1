"""What an operator runs: the server process, its checks, its servers of its own, demo and load."""
