"""What is wrong with an installation, in words and with remedies: `manage.py doctor`."""
