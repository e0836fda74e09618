"""Kafka without a Kafka: files, messages, decisions."""
