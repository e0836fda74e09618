"""Several shops train one network, and nobody's events leave their shop."""
