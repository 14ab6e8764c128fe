"""Moving in from the system a trader used before: read its folder, say what maps and what does not, write rows."""
