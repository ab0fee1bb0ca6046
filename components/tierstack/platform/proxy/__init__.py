"""The proxy in front of applications, as all that is behind it or before it must know it. Pure."""

TRAEFIK_CLASS = "traefik"
GATEWAY_API = "gateway.networking.k8s.io/v1"
"""Version of the Gateway API on Kubernetes."""
