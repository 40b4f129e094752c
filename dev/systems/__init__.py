"""Real systems outside a cluster, as processes of this machine: for tests, for the demo, to try things by hand.

Each is a context manager over a directory of its own, with free ports unless one is given, and ends what it started:

    with Postgresql(home, authority) as db:
        db.user("orders", "secret", database="orders")
"""
