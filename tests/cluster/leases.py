"""Signs of life of simulated nodes.

kwok 0.7 renews leases of nodes too, but from a copy that lags behind: 19 of 20 renewals were refused as conflicts here. A node
whose lease stands still for 16 s is NotReady, and its pods, which nobody makes Ready again, with it.
"""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence

from devcluster.machine import HOST
from devcluster.pki import Pki

_EVERY = 3
"""Seconds between two renewals of a node: a fifth of the time after which it counts as lost."""


class Leases:
    """Renews the leases of `nodes` from `start` to `stop`."""

    def __init__(self, pki: Pki, nodes: Sequence[str], labels: Mapping[str, str]) -> None:
        self._context = ssl.create_default_context(cafile=pki.file("ca.crt"))
        self._context.load_cert_chain(pki.file("admin.crt"), pki.file("admin.key"))
        self._nodes, self._labels = nodes, dict(labels)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End; the leases stay."""
        self._end.set()
        self._thread.join(30)

    def _renew(self) -> None:
        connection: http.client.HTTPSConnection | None = None
        while not self._end.wait(_EVERY):
            for node in self._nodes:
                try:
                    connection = connection or http.client.HTTPSConnection(
                        HOST, 6443, timeout=10, context=self._context
                    )
                    self._renew_one(connection, node)
                except (OSError, http.client.HTTPException):
                    # The next round asks on a new connection.
                    connection = None

    def _renew_one(self, connection: http.client.HTTPSConnection, node: str) -> None:
        now = time.time()
        renewed = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1_000_000):06}Z"
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": node, "namespace": "kube-node-lease", "labels": self._labels},
            "spec": {"holderIdentity": node, "leaseDurationSeconds": 16, "renewTime": renewed},
        }
        path = (
            f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}?fieldManager=simulated&force=true"
        )
        connection.request("PATCH", path, json.dumps(lease), {"Content-Type": "application/apply-patch+yaml"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise http.client.HTTPException(said.decode(errors="replace")[:300])
