"""What everybody shares: contracts, the pure core, Kafka, settings and the command line."""
