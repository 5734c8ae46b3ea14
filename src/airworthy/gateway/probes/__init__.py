"""Notices a model that was changed under its name: fixed questions, kept answers, and what differs from last time."""
