"""AppCluster: a web application with queue workers, a scheduler and migrations."""

from tierstack.app_cluster.args import AppClusterArgs, AppCounts, SecretDelivery, ServerKind

__all__ = ["AppClusterArgs", "AppCounts", "SecretDelivery", "ServerKind"]
