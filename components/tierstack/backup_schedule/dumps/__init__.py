"""Dumps of a database on a schedule, kept by restic: the second form beside base backups and log. On a Docker host."""
