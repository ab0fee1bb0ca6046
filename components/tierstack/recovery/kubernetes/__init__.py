"""Restores and drills of a database on Kubernetes: a Cluster of CloudNativePG beside the running one."""
