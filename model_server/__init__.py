"""The model server: from score requests to recommendations, and the training of what it serves."""
