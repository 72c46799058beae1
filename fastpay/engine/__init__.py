"""The running heart: the batch writer and the reader, over ports that stores satisfy."""
