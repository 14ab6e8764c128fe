"""What was done is neither changed nor lost unnoticed: triggers in the database, and a chain of digests over the rows."""
