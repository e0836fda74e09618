"""What can be counted of who had what: neighbours of items, co-visitation."""
