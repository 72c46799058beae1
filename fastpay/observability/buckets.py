"""The upper bounds of the buckets of histograms."""

# Nanoseconds: 0.25 ms to 10 s.
DURATION_BOUNDS_NS = tuple(
    int(milliseconds * 1_000_000)
    for milliseconds in (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
