"""Django's SQLite backend with a watch: every process that uses it writes down how long it waited to commit."""
