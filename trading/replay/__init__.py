"""A recorded day through the real services: the composition behind `manage.py replay`."""
