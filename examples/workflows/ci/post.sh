#!/usr/bin/env bash
# post.sh github|gitlab: each report below reports/ as the comment of its stack. Runs no code of the change.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
forge=${1:?usage: post.sh github|gitlab}
failed=0
shopt -s nullglob
for report in "${REPORTS:-reports}"/*.json; do
    # It is posted first; then 1 says that the preview had failed, and 4 that the comment could not be posted.
    tierstack diff --report "$report" --post "$forge" --labels > /dev/null || failed=1
done
exit "$failed"
