"""From users' states to their lists."""
