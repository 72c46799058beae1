"""What the macro benchmarks run on: servers to measure, load to put on them, tables to read."""
