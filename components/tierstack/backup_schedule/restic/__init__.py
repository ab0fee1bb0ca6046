"""Backups by restic: the second kind beside base backups and log. Files of an application; on a Docker host."""
