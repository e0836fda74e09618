"""What a list is: sources, filters, order and reasons. Pure."""
