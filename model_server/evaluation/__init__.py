"""How good a model is: protocols, metrics, baselines."""
