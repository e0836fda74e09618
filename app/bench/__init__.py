"""Measurements, each beside its floor or its peer in the same run on the same broker."""
