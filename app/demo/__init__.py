"""The demo: the real pipeline under a real data set's newest events, watched from the shop's side.

It meets the processes only where a shop would: in topics, and on their `/metrics` and `/readyz`.
"""
