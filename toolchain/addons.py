"""The manifests of the operators that a cluster needs, made from the Go modules that pins.toml names.

One file `NAME.yaml` for each of [addons]: what `manifests` of the component ClusterAddons reads on a machine where the
vendors' downloads do not answer. Charts and kustomizations are rendered by the tool `manifests`.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from toolchain import build, find, pins, place

RENDERER = "manifests"


def folder(all_pins: pins.Pins) -> Path:
    """Where the manifests of these pins are, or will be."""
    text = repr(sorted(all_pins.addons.items())) + all_pins.tools[RENDERER].key + Path(__file__).read_text()
    return place.cache() / "addons" / hashlib.sha256(text.encode()).hexdigest()[:12]


def rendered(program: Path, *arguments: str) -> str:
    """What the renderer writes. Raises build.SetupError with its last words."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise build.SetupError(f"`{RENDERER} {' '.join(arguments)}` failed:\n{done.stderr.strip()[-1500:]}")
    return done.stdout


def part(source: pins.AddonSource, program: Path) -> str:
    """The YAML stream of one source. Raises build.SetupError."""
    upstream = build.module_dir(source.module, source.sum)
    if source.kustomize:
        return rendered(program, "kustomize", str(upstream / source.kustomize))
    if source.chart:
        version = source.module.rpartition("@")[2]
        values = [str(upstream / one) if one.endswith(".yaml") else one for one in source.values]
        where = [str(upstream / source.chart), source.namespace, source.kubernetes, version]
        return rendered(program, "chart", *where, *values)
    files = [file for pattern in source.files for file in sorted(upstream.glob(pattern))]
    if not files:
        raise build.SetupError(f"{source.module}: no manifest found; check [addons] in pins.toml")
    return "".join(f"---\n{file.read_text()}\n" for file in files)


def make(all_pins: pins.Pins) -> Path:
    """Write all manifests into the cache if they are not there. Raises build.SetupError."""
    home = folder(all_pins)
    if home.is_dir():
        return home
    program = find.find(all_pins.tools[RENDERER], all_pins)
    if program is None:
        raise build.SetupError(f"{RENDERER} is not there yet; get it with: python3 toolchain/setup.py test")
    place.say("Making the manifests of the cluster's operators (a few seconds) ...")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.tmp-", dir=home.parent) as scratch:
        result = Path(scratch) / "addons"
        result.mkdir()
        for name, sources in all_pins.addons.items():
            (result / f"{name}.yaml").write_text("".join(part(one, program.path) for one in sources))
        shutil.rmtree(home, ignore_errors=True)
        result.rename(home)
    return home
