"""The JSON API: one table of operations; addresses, checks, answers and the document all come from it."""
