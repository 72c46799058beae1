"""Log lines, traces and counters of the process. Every floor may use it; it imports none."""
