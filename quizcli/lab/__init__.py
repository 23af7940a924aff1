"""Demos: what they yield, which there are, and how they run."""
