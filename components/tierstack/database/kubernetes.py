"""What every data engine shares on Kubernetes: by which labels its clients are known."""


def client_labels(name: str) -> dict[str, str]:
    """Labels of pods that may reach the pooler."""
    return {f"tierstack.dev/{name}-client": "true"}


def direct_client_labels(name: str) -> dict[str, str]:
    """Labels of pods that may reach the primary itself."""
    return {f"tierstack.dev/{name}-direct-client": "true"}
