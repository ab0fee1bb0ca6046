"""The proxy in front of applications, as all that is behind it or before it must know it. Pure."""

TRAEFIK_CLASS = "traefik"
