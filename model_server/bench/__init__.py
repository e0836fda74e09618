"""Measurements of the model server that need torch; `riverrun bench` finds them by entry point."""
