#!/usr/bin/env python3
"""set_image.py FILE KEY IMAGE: put an image, named by digest, into Pulumi.<stack>.yaml of this checkout.

KEY is `shop:images.app` in a stack of tierstack; in a program of your own the key that it reads, such as `image:app`.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml


def changed(settings: dict[str, Any], key: str, image: str) -> dict[str, Any]:
    """The settings of a stack with `image` at `key`. Raises ValueError for an image without a digest."""
    if not re.fullmatch(r"[a-z0-9.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+)?@sha256:[0-9a-f]{64}", image):
        raise ValueError(f"image = {image!r}: is not named by digest; write REPOSITORY@sha256:…")
    top, *path = key.split(".")
    place: dict[str, Any] = settings.setdefault("config", {})
    for name, below in zip([top, *path], path, strict=False):
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ValueError(f"{key}: `{name}` holds {place!r}, so nothing can be set at `{below}` below it")
    place[[top, *path][-1]] = image
    return settings


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    file, key, image = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    try:
        settings = changed(yaml.safe_load(file.read_text(encoding="utf-8")) or {}, key, image)
    except (OSError, ValueError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        return 1
    file.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    print(f"{file}: {key} is {image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
