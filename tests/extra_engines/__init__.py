"""Engines that tests add to the table: a provider of a kind that exists, and a kind of its own."""
