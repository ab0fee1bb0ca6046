"""What CloudNativePG calls its objects, and the labels that its pods have. Pure."""

POSTGRESQL_API = "postgresql.cnpg.io/v1"


def cluster_labels(name: str) -> dict[str, str]:
    """Labels of all pods of the Cluster: its servers, its poolers and the operator's jobs."""
    return {"cnpg.io/cluster": name}


def server_labels(name: str) -> dict[str, str]:
    """Labels of its servers alone."""
    return {**cluster_labels(name), "cnpg.io/podRole": "instance"}


def pooler_labels(pooler: str) -> dict[str, str]:
    """Labels of the pods of one Pooler."""
    return {"cnpg.io/poolerName": pooler}
