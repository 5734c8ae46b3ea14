"""Traces as one index over our own tasks and over what other programs send: spans, facets, rollups, text."""
