#!/usr/bin/env bash
# deploy.sh STACK IMAGE: bring STACK to its configuration, with IMAGE (by digest). Fails unless every part is healthy.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/env.sh"
. "$here/credentials.sh"
stack=${1:?usage: deploy.sh STACK IMAGE} image=${2:?usage: deploy.sh STACK IMAGE}
python "$here/set_image.py" "Pulumi.$stack.yaml" "${IMAGE_KEY:-shop:images.app}" "$image"
tierstack up --stack "$stack" --yes
for url in ${SMOKE_URLS:-}; do # after `up` has seen the containers, and the public address, healthy
    curl --fail --silent --show-error --output /dev/null --retry 5 --retry-all-errors --max-time 10 "$url"
    echo "answers: $url"
done
