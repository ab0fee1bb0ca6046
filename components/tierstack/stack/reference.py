"""docs/configuration.md, made from the settings: `python -m tierstack.stack.reference > docs/configuration.md`."""

from enum import Enum
from typing import Any, get_args, get_origin

from tierstack.core.documentation import documentation
from tierstack.core.keys import Key, noun
from tierstack.stack.derive import Settings
from tierstack.stack.settings import settings

_HEAD = """\
# Configuration

<!-- Made by `python -m tierstack.stack.reference`; a test compares. -->

A stack is configured in `Pulumi.<stack>.yaml`: one structured key for each part, in the project's namespace. Keys that
are left out take the default. `tierstack check -s NAME` tells what is wrong, without an engine.

One error names every problem, each with its path: unknown keys, missing ones, wrong types, what a component's rules
say of its values, what several components have to agree on, and changes of what runs that would be refused or lose
data. For an unknown key the error names the one that was most likely meant, or lists all where none is near.

What depends on a key that is missing or cannot be read is not judged: nothing is said that could change once that key
is right. A file whose YAML cannot be read, or that has a key twice, is told first and alone.

Warnings and advice are complete only where nothing is wrong.

```yaml
config:
  shop:tier: 100k
  shop:platform: {kind: docker}
  shop:images: {app: "registry.example/shop@sha256:…", …}
  shop:app:
    hostnames: [shop.example]
    php: {document_root: /srv/shop/public}
  shop:docker: # only where platform.kind is docker
    gateway: {https_port: 8443}
```

Editors complete and check it by [pulumi-stack.schema.json](pulumi-stack.schema.json), which the first line of a file
names: `# yaml-language-server: $schema=docs/pulumi-stack.schema.json`. For a project of another name:
`python -m tierstack.stack.schema PROJECT`.

**Secrets** are written encrypted, and one in plaintext is an error. The state must know the stack, which is so
once it was applied:

```
pulumi stack init local                                                    # where it was never applied
pulumi config set --stack local --secret --path 'app.secrets.API_KEY'      # asks for the value
```

The command writes `secure: …` into `Pulumi.local.yaml`, and an `encryptionsalt` at its end: commit both. Who runs the
stack needs the passphrase (`.state/passphrase` where `make setup` made it), or the key of the backend.

**What holds on one kind of platform only** stands below `shop:docker` or `shop:kubernetes`, with the same keys, and is
laid over the rest, also for one of several: `shop:kubernetes: {apps: {admin: {uploads: …}}}`. So one line,
`platform.kind`, decides where a new stack runs. It moves no data: [Move a stack to Kubernetes](move-to-kubernetes.md).

## Several applications

```yaml
config:
  shop:tier: 100k
  shop:platform: {kind: docker}
  shop:images:
    app: registry.example/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111
    postgres: registry.example/postgresql@sha256:2222222222222222222222222222222222222222222222222222222222222222
    pgbouncer: registry.example/pgbouncer@sha256:3333333333333333333333333333333333333333333333333333333333333333
    redis: registry.example/valkey@sha256:4444444444444444444444444444444444444444444444444444444444444444
    traefik: registry.example/traefik@sha256:5555555555555555555555555555555555555555555555555555555555555555
  shop:apps:
    shop:
      hostnames: [shop.example, www.shop.example]
      php: {document_root: /srv/shop/public}
      database: orders
      redis: queue
      more_redis: {cache: volatile} # gives REDIS_CACHE_HOST and its like
    admin:
      hostnames: [admin.shop.example]
      php: {document_root: /srv/admin/public}
      image: registry.example/admin@sha256:6666666666666666666666666666666666666666666666666666666666666666
      database: orders
      redis: queue
    reports:
      hostnames: [reports.shop.example]
      php: {document_root: /srv/reports/public}
      database: warehouse
      redis: none
  shop:databases:
    orders: {}
    warehouse: {memory_mb: 4096}
  shop:redis_instances:
    queue: {}
    volatile: {purpose: cache}
```

- `apps`, `databases` and `redis_instances` are maps from names to sections with the keys of `app`, `database` and
  `redis`. A stack has one of the two forms of each, not both.
- An application names its `database` and its `redis` where there are several. Where there is one, it uses that one.
  `none`: it uses none, and gets no password. Further Redis instances are in its `more_redis`.
- Images within a section override those in `images`.
- One certificate and one gateway serve the hostnames of all applications. `backups` covers every database.
- The output `urls` has the address of each application by its name; `url` is there only where there is one application.
- Names of resources are made of the names. `app: {…}` is the same as `apps: {web: {…}}`, `database: {…}` as
  `databases: {db: {…}}`, and `redis: {…}` as `redis_instances: {redis: {…}}`. A stack that grows keeps these names for
  what it has, so that nothing is replaced.
"""


def markdown() -> str:
    """The whole page."""
    whole = settings()
    parts = [_HEAD, "## Top level\n", _table(whole)]
    for name, key in whole.KEYS.items():
        part = _section(key.type)
        if part is None:
            continue
        if get_origin(key.type) is dict:
            parts += [f"\n## `shop:{name}`\n", f"{key.text}"]  # the keys of each stand above
            continue
        text = " ".join(((key.text if part.DOCUMENTED_BY else part.__doc__) or "").split())
        parts += [f"\n## `shop:{name}`\n", f"{text}\n", _table(part), *_nested(part, name)]
    return "\n".join(parts)


def _nested(part: type[Settings], path: str) -> list[str]:
    """A table for each section within a section."""
    parts: list[str] = []
    for name, key in part.KEYS.items():
        inner = _section(key.type)
        if inner is None:
            continue
        written = str(key.type)
        many = "[]" if "list[" in written else ".NAME" if "dict[" in written else ""
        where = f"{path}.{name}{many}"
        parts += [f"\n### `{where}`\n", f"{' '.join((inner.__doc__ or '').split())}\n", _table(inner)]
        parts += _nested(inner, where)
    return parts


def _table(part: type[Settings]) -> str:
    rows = ["| key | value | default | |", "|---|---|---|---|"]
    texts = documentation(part)
    for name, key in part.KEYS.items():
        text, value = texts[name].replace("|", "\\|"), noun(key.type).replace("|", "\\|")
        rows.append(f"| `{name}` | {value} | {_default(key)} | {text} |")
    return "\n".join(rows)


def _default(key: Key) -> str:
    if key.required:
        return "**required**"
    default = key.absent()
    if default is None or isinstance(default, Settings):
        return "–"
    if isinstance(default, Enum):
        return f"`{default.value}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default != "" else "empty"


def _section(hint: Any) -> type[Settings] | None:
    """The section inside a type such as `X | None` or `list[X]`."""
    if isinstance(hint, type) and issubclass(hint, Settings):
        return hint
    return next((found for one in get_args(hint) if (found := _section(one))), None)


if __name__ == "__main__":
    print(markdown(), end="")
