"""How many requests to one server are in progress at the same time."""
