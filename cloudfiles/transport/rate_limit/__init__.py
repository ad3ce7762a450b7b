"""How many requests per second are sent to a server that rejects some of them."""
