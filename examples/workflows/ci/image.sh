#!/usr/bin/env bash
# image.sh build           build and push the image of COMMIT, or find the one that was built before
# image.sh mark IMAGE      say that staging ran IMAGE: the tag `staged-COMMIT`
# image.sh staged          the image that staging ran for COMMIT, by digest
#
# REPOSITORY (ghcr.io/owner/shop) and COMMIT are required. REGISTRY_USER and REGISTRY_TOKEN log in where they are set.
# The result is `image=REPOSITORY@sha256:…`: appended to $GITHUB_OUTPUT, or to image.env.
set -euo pipefail
: "${REPOSITORY:?the repository of the image, such as ghcr.io/owner/shop}" "${COMMIT:?the commit that the image is made of}"
repository=${REPOSITORY,,} # owners may have capitals, repositories of images have none

digest_of() { # empty where the registry has no such tag; any other failure ends the script
    local said
    if said=$(docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}' 2>&1); then
        echo "$said"
    elif [[ $said != *"not found"* ]]; then
        echo "$1: $said" >&2
        return 1
    fi
}

result() {
    [[ $1 =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "the registry names no digest but: $1" >&2 && exit 1; }
    echo "image=$repository@$1" | tee -a "${GITHUB_OUTPUT:-image.env}"
}

if [ -n "${REGISTRY_TOKEN:-}" ]; then
    docker login --username "${REGISTRY_USER:?}" --password-stdin "${repository%%/*}" <<< "$REGISTRY_TOKEN"
fi

case "${1:-}" in
    build)
        # A run that is repeated must not build again: what staging has seen would no longer be what production gets.
        digest=$(digest_of "$repository:commit-$COMMIT")
        if [ -z "$digest" ]; then
            docker buildx build --push --tag "$repository:commit-$COMMIT" "${CONTEXT:-.}"
            digest=$(digest_of "$repository:commit-$COMMIT")
        fi
        result "$digest"
        ;;
    mark)
        image=${2:?usage: image.sh mark IMAGE}
        # A carbon copy: without the flag an image of one platform gets an index around it, and so another digest.
        docker buildx imagetools create --prefer-index=false --tag "$repository:staged-$COMMIT" "$image"
        digest=$(digest_of "$repository:staged-$COMMIT")
        [ "$digest" = "${image#*@}" ] || { echo "staged-$COMMIT is $digest, not $image" >&2 && exit 1; }
        ;;
    staged)
        digest=$(digest_of "$repository:staged-$COMMIT")
        if [ -z "$digest" ]; then
            echo "Staging never ran commit $COMMIT: there is no $repository:staged-$COMMIT." >&2
            echo "Put the tag on a commit of main whose run of \`staging\` succeeded." >&2
            exit 1
        fi
        result "$digest"
        ;;
    *)
        echo "usage: image.sh build | mark IMAGE | staged" >&2
        exit 2
        ;;
esac
