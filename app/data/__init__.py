"""Data sets: fetched, read, in one form."""
