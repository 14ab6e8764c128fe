"""The guided probe of a real terminal: what only a live client can answer, asked one question at a time."""
