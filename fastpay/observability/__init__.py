"""What the process tells: log lines, traces, counters. Every floor may use it; it uses none."""
