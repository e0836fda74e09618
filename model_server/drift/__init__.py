"""Whether the shop is still the one that a version was trained on."""
