"""Stroke risk as a reviewer demands it."""
