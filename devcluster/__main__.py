"""`python -m devcluster`: a Kubernetes of several nodes on this machine."""

import argparse
import os
import sys

from devcluster import operators
from devcluster.cluster import EXISTING, Cluster, home, say
from devcluster.machine import ClusterError

EXAMPLES = """examples:
  python -m devcluster up                       three nodes, DNS, volumes, NetworkPolicies, metrics, load balancers
  python -m devcluster operators                images onto the nodes, operators, an S3 store, a CA
  eval "$(python -m devcluster env)"            so that kubectl, pulumi and tests use it
  python -m devcluster load tierstack.local/shop:1
  python -m devcluster lose node2               kubelet, containerd and all pods of node2 killed
  python -m devcluster restore node2
  python -m devcluster down                     everything stopped and removed

environment:
  TIERSTACK_CLUSTER_HOME   where it lives (default: below the cache)
  TIERSTACK_CLUSTER        "existing": none is made, the operators go onto the one of the current kubeconfig
  TIERSTACK_CLUSTER_LOAD   with it: the command that brings images onto its nodes, as in "kind load docker-image"
  TIERSTACK_CLUSTER_SHARED_CLASS   storage class whose volumes several pods may mount (default: shared)
"""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m devcluster",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="bring it up").add_argument("--nodes", type=int, default=3, metavar="N")
    verbs.add_parser("load", help="import images of the Docker daemon").add_argument("images", nargs="+")
    verbs.add_parser("operators", help="install the operators, and the images that tests need")
    for verb, text in (("lose", "kill a node"), ("restore", "start a lost node")):
        verbs.add_parser(verb, help=text).add_argument("node")
    verbs.add_parser("env", help="print the environment that uses it")
    verbs.add_parser("status", help="print its nodes; exit 1 when it does not run")
    verbs.add_parser("down", help="stop and remove it")
    options = parser.parse_args()
    if EXISTING:
        return _existing(options.verb)
    if options.verb != "up" and not (home() / "nodes").exists():
        print("No cluster was brought up here: python -m devcluster up", file=sys.stderr)
        return 0 if options.verb == "down" else 1
    cluster = Cluster(getattr(options, "nodes", 3))
    try:
        match options.verb:
            case "up":
                cluster.up()
            case "operators":
                os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
                operators.install()
            case "load":
                cluster.load(options.images)
            case "lose":
                cluster.lose(options.node)
            case "restore":
                cluster.restore(options.node)
            case "env":
                print(f"export KUBECONFIG='{cluster.kubeconfig}'")
            case "status":
                print(cluster.control.kubectl("get", "nodes", "-o", "wide"), end="")
            case _:
                cluster.down()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _existing(verb: str) -> int:
    """A verb where the cluster is somebody else's."""
    if verb != "operators":
        say(f"{verb}: nothing to do, TIERSTACK_CLUSTER=existing uses the cluster of the current kubeconfig")
        return 0
    try:
        operators.install()
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
