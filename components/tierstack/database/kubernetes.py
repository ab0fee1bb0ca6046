"""What every data engine shares on Kubernetes: by which labels its clients are known."""

from tierstack.platform.kubernetes import network


def client_labels(name: str) -> dict[str, str]:
    """Labels of pods that may reach the pooler."""
    return network.client_of("pooler", name)


def direct_client_labels(name: str) -> dict[str, str]:
    """Labels of pods that may reach the primary itself."""
    return network.client_of("server", name)
