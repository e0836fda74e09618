"""The public contracts: what travels through the topics, as types and codecs.

Every message carries or implies a schema version; unknown fields are kept out, never an error.
Knows nothing of Kafka, Faust, torch, clocks or settings.
"""
