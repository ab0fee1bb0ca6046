"""`python -m tests.cluster`: a Kubernetes of several nodes on this machine."""

import argparse
import sys

from tests.cluster.cluster import Cluster, home
from tests.cluster.machine import ClusterError

EXAMPLES = """examples:
  python -m tests.cluster up                       three nodes, DNS, volumes, NetworkPolicies, metrics, load balancers
  eval "$(python -m tests.cluster env)"            so that kubectl, pulumi and tests use it
  python -m tests.cluster load tierstack.local/shop:1
  python -m tests.cluster lose node2               kubelet, containerd and all pods of node2 killed
  python -m tests.cluster restore node2
  python -m tests.cluster down                     everything stopped and removed

environment:
  TIERSTACK_CLUSTER_HOME   where it lives (default: below the cache)
"""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="bring it up").add_argument("--nodes", type=int, default=3, metavar="N")
    verbs.add_parser("load", help="import images of the Docker daemon").add_argument("images", nargs="+")
    for verb, text in (("lose", "kill a node"), ("restore", "start a lost node")):
        verbs.add_parser(verb, help=text).add_argument("node")
    verbs.add_parser("env", help="print the environment that uses it")
    verbs.add_parser("status", help="print its nodes; exit 1 when it does not run")
    verbs.add_parser("down", help="stop and remove it")
    options = parser.parse_args()
    if options.verb != "up" and not (home() / "nodes").exists():
        print("No cluster was brought up here: python -m tests.cluster up", file=sys.stderr)
        return 0 if options.verb == "down" else 1
    cluster = Cluster(getattr(options, "nodes", 3))
    try:
        match options.verb:
            case "up":
                cluster.up()
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


if __name__ == "__main__":
    sys.exit(main())
