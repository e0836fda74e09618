"""The sequence network and what it reads."""
