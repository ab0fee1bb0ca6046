#!/usr/bin/env bash
# check.sh: every problem in the configuration of every stack. Needs no engine, no network and no credentials.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
failed=0
for file in Pulumi.*.yaml; do
    stack=${file#Pulumi.}
    stack=${stack%.yaml}
    echo "--- $stack"
    tierstack check --stack "$stack" || failed=1
done
exit "$failed"
