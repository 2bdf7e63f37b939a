"""Definitions, spelled out by loops in float64. They import nothing of the package."""
