#!/usr/bin/env bash
# diff.sh STACK: what the change does to STACK, as reports/STACK.json (for the comment) and reports/STACK.html.
# Needs no credentials: the base is rendered into a state that is thrown away, and the change is previewed on it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
stack=${1:?usage: diff.sh STACK}
# A pull request is checked out as its merge with the base, so what others have merged meanwhile is no part of the change.
base=${BASE:-HEAD^1}
reports=${REPORTS:-reports}
# A runner's own daemon is not the stack's host. Without one, a Docker stack is compared as the manifests it would have.
export DOCKER_HOST=unix:///nonexistent
mkdir -p "$reports"
code=0
tierstack diff --stack "$stack" --base "$base" --output "$reports/$stack.json" --output "$reports/$stack.html" \
    > "$reports/$stack.md" || code=$?
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$reports/$stack.md" >> "$GITHUB_STEP_SUMMARY"
exit "$code"
