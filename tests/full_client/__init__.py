"""A third channel, for tests only: a strategy inside the full client (`passorder`, `get_trade_detail_data`).

`client` is a small twin of the interface in front of the paper terminal, `broker` an adapter over it for our port.
"""
