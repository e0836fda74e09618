"""The items as the live server knows them: what is in the shop right now, with vectors to search."""
