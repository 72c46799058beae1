"""What fastpay is measured by. One question a file; docs/BENCHMARKS.md says how to ask."""
