# shellcheck shell=bash
# Sourced by the other scripts: what install.sh has installed comes first on PATH.
for folder in "$HOME/.pulumi/bin" "$PWD/.venv/bin"; do
    [ ! -d "$folder" ] || PATH="$folder:$PATH"
done
export PATH PULUMI_SKIP_UPDATE_CHECK=true
