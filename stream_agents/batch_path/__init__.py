"""A hot topic served in batches, inside Faust's own consumer.

Same group member, same assignment, same commits; everything else stays Faust's. Reading order: `contract`,
`consumer` (the loop), `delivery` (the order of one batch), then what keeps it right when things go wrong: `cursors`,
`lease`, `changelog`, `recovery`.
"""
