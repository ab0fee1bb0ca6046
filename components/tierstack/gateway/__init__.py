"""Gateway: the one way in, for HTTP and HTTPS."""

from tierstack.gateway.args import GatewayArgs

__all__ = ["GatewayArgs"]
