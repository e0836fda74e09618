"""How good a model is: the protocols, the baselines, the report."""
