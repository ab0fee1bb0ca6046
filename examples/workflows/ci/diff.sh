#!/usr/bin/env bash
# diff.sh STACK: what the change does to STACK, as reports/STACK.json (for the comment) and reports/STACK.html.
# Needs no credentials: the base is rendered into a state that is thrown away, and the change is previewed on it.
# FAIL_ON=data-loss,weakens: end with 3, after the report is written, where the change has a risk of these classes.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
stack=${1:?usage: diff.sh STACK}
# A pull request is checked out as its merge with the base, so what others have merged meanwhile is no part of the change.
base=${BASE:-HEAD^1}
reports=${REPORTS:-reports}
classes=${FAIL_ON:-}
# A runner's own daemon is not the stack's host. Without one, a Docker stack is compared as the manifests it would have.
export DOCKER_HOST=unix:///nonexistent
options=(--output "$reports/$stack.json" --output "$reports/$stack.html")
for risk in ${classes//,/ }; do options+=(--fail-on "$risk"); done
mkdir -p "$reports"
code=0
tierstack diff --stack "$stack" --base "$base" "${options[@]}" > "$reports/$stack.md" || code=$?
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$reports/$stack.md" >> "$GITHUB_STEP_SUMMARY"
exit "$code"
