"""The stream agents: the Faust process that turns events into interests.

Reading order: `command`, `entry`, `wiring` (what is put together), `interests` (the one business function), then
`batch_path` (how records reach it and rows leave it), and `worker`, `progress`, `watchdog` (life and death).
"""
