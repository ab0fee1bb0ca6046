"""Rules about what costs more and is in no sum of CPU, memory and disk (`tierstack.diff.cost`)."""

from tierstack.diff.model import Operation
from tierstack.diff.risk import Risk, Rule, larger, replaced

_NEW_OR_CHANGED = frozenset({Operation.CREATE, Operation.UPDATE, Operation.REPLACE})

RULES = (
    Rule(
        id="autoscaler-goes-further",
        risk=Risk.COST,
        types=("kubernetes:autoscaling/*:HorizontalPodAutoscaler",),
        path="spec maxReplicas",
        test=larger,
        what="may go up to {new} pods instead of {old}",
        instead="",
    ),
    Rule(
        id="any-larger",
        risk=Risk.COST,
        types=("*",),
        path=(
            *("** allocatedStorage", "** diskSize", "** diskSizeGb", "** volumeSize", "** storageGb", "** nodeCount"),
            *(
                "** desiredCapacity",
                "** desiredCount",
                "** numNodes",
                "** sizeGb",
                "** maxSize",
                "** minSize",
                "** iops",
            ),
            *("** readCapacity", "** writeCapacity", "** numCacheNodes", "** instanceCount", "** shardCount"),
        ),
        test=larger,
        what="is larger ({key}: {old} → {new})",
        instead="",
    ),
    Rule(
        id="any-other-size",
        risk=Risk.COST,
        types=("*",),
        path=(
            "** instanceType",
            "** instanceClass",
            "** machineType",
            "** vmSize",
            "** nodeType",
            "** sku",
            "** plan",
            "** tier",
        ),
        test=replaced,
        what="has another size, and another price ({old} → {new})",
        instead="",
    ),
)
