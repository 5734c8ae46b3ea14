"""Real worker processes on a real file, killed for real."""
