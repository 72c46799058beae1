"""The operator's own listener: metrics and health. Never on the public port."""
