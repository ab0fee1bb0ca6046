#!/usr/bin/env bash
# install.sh: the Pulumi engine of one version, and the project's Python packages in .venv.
set -euo pipefail
version=3.259.0
releases=${PULUMI_RELEASES:-https://github.com/pulumi/pulumi/releases/download/v$version}
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

if [ "$(pulumi version 2> /dev/null || true)" != "v$version" ]; then
    case "$(uname -m)" in
        x86_64) arch=x64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) echo "no Pulumi archive for $(uname -m)" >&2 && exit 1 ;;
    esac
    archive="pulumi-v$version-linux-$arch.tar.gz"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    curl --fail --silent --show-error --location --retry 3 --output "$scratch/$archive" "$releases/$archive"
    curl --fail --silent --show-error --location --retry 3 --output "$scratch/sums" "$releases/pulumi-$version-checksums.txt"
    # Without its line in the list the archive is refused: an empty list is no error for sha256sum by itself.
    (cd "$scratch" && grep "  $archive\$" sums > sum && sha256sum --check --strict --quiet sum) ||
        { echo "$archive does not have the checksum that $releases names" >&2 && exit 1; }
    mkdir -p "$HOME/.pulumi/bin"
    tar -xzf "$scratch/$archive" -C "$HOME/.pulumi/bin" --strip-components=1
fi

# requirements.txt made by `pip-compile --generate-hashes` or `uv pip compile --generate-hashes` is checked by its hashes.
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
