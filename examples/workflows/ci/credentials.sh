# shellcheck shell=bash
# Sourced by deploy.sh and drift.sh: turns secrets into what the engine, Docker and kubectl read. Each is left out where
# its variable is not set. Files are for this user alone, and go when the script that sources this ends.
umask 077
# A variable that nobody has set arrives empty, which is not the same as absent for each of those that read it.
for name in DOCKER_HOST PULUMI_BACKEND_URL AWS_ROLE_ARN AWS_REGION; do
    [ -n "${!name:-}" ] || unset "$name"
done
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT

if [ -n "${KUBECONFIG_CONTENT:-}" ]; then # a cluster
    printf '%s\n' "$KUBECONFIG_CONTENT" > "$secrets/kubeconfig"
    export KUBECONFIG="$secrets/kubeconfig"
fi
if [ -n "${SSH_KEY:-}" ]; then # a Docker host: DOCKER_HOST or platform.docker_host is ssh://USER@HOST
    : "${SSH_KNOWN_HOSTS:?the host keys (ssh-keyscan HOST, compared with the host), so that nobody answers in its place}"
    mkdir -p "$HOME/.ssh"
    printf '%s\n' "$SSH_KEY" > "$secrets/key"
    printf '%s\n' "$SSH_KNOWN_HOSTS" >> "$HOME/.ssh/known_hosts"
    eval "$(ssh-agent -s)" > /dev/null
    trap 'ssh-agent -k > /dev/null; rm -rf "$secrets"' EXIT
    ssh-add -q "$secrets/key"
fi
if [ -n "${AWS_ROLE_ARN:-}" ] && [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}${CI_AWS_TOKEN:-}" ]; then # state in S3, by OIDC
    session=$(python3 "$(dirname "${BASH_SOURCE[0]}")/aws_session.py")
    eval "$session"
    unset AWS_ROLE_ARN # the SDK would exchange a token by itself
fi
