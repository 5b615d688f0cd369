"""The embedded mail world of `mailprobe demo`, and its scenarios."""
