"""The rules of how components are called and put together. They are applied by modules that need Pulumi, and declared
here, so that looking up a rule need not import it."""

from tierstack.core.diagnostics import declare

declare("wrong-call", "A component is called with a name, its arguments and options.")
declare(
    "renamed-component",
    "A renamed component must say what its objects are called.",
    why="An alias keeps the resources in the state, but other names replace the objects, with their data.",
    wrong='RedisCluster("cache", args, opts=ResourceOptions(aliases=[Alias(name="redis")]))',
    right='RedisCluster("cache", RedisClusterArgs(physical_name="redis", …), opts=…)',
)
declare("two-targets", "Either the platform or a provider says where things go.")
declare(
    "other-platform",
    "What a component is handed must be on its platform.",
    why="Networks, Secrets and Services are reached within one host or namespace only.",
)
declare("other-state", "The name of a platform belongs to one state.")
