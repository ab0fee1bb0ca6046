#!/usr/bin/env bash
# drift.sh STACK: what differs between the state of STACK and what is really there, as drift/STACK.json.
# It reads, and changes neither. Exit code 1 where that could not be found out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/env.sh"
. "$here/credentials.sh"
python "$here/drift.py" check "${1:?usage: drift.sh STACK}" --out "drift/$1.json"
