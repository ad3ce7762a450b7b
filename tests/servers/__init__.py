"""Servers that the tests run against: real ones, and a scripted one that misbehaves on request."""
