"""Candidates from several sources, put in order: what a list is made of."""
