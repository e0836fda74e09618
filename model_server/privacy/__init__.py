"""Training whose result says next to nothing about any single person: differential privacy of users."""
