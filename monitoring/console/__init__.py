"""The console's read side: everything the first page shows, as one immutable value per second."""
