"""Measurements that others can repeat; each prints one JSON object as its last line. Imports no peer here."""
