"""The write path: from a submission to its commit."""
