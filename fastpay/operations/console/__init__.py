"""The operator's console: what its pages show, and what operators do."""
