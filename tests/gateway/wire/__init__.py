"""Claims about the dialects."""
