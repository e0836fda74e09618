"""What a model has to beat, by name: see model_server.evaluation.baselines.registry."""
