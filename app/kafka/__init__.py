"""Kafka: the topics, and a broker for whoever has none."""
