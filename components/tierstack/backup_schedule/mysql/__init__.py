"""How a MySQL is backed up: base backups by CLONE, and binary logs as they are written."""
