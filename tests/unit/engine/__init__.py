"""Tests of the engine, over ports kept in memory."""
