"""What an operator runs: the server process, its checks, the embedded servers, the demo and the load test."""
