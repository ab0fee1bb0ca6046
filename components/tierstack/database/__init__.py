"""DatabaseWithReplicas: PostgreSQL behind PgBouncer, with streaming replicas."""

from tierstack.database.args import DatabaseWithReplicasArgs

__all__ = ["DatabaseWithReplicasArgs"]
