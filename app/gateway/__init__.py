"""The gateway: events in over HTTP, lists out, to servers and browsers. It meets the other processes in topics."""
