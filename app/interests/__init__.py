"""One user's interests: the bounded state and the pure fold over a list of events.

Knows nothing of Kafka, RocksDB, Faust, torch, clocks or settings.
"""
