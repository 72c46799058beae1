"""The batch writer, the reader and periodic work, over ports that the store implements."""
