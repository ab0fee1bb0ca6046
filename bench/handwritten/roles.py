"""The roles of PostgreSQL: who logs in, with which password, and the Job of the first login."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import ORDER, image, labels
from bench.handwritten.network import RESOLVER, Out, Peer, egress, pods, tcp

SQL = """\
SET ROLE NONE;
ALTER ROLE "app_a" SET role = 'app';
SET ROLE 'app';
SELECT format('GRANT USAGE ON SCHEMA %I TO tierstack_read', nspname) FROM pg_namespace
    WHERE nspowner = 'app'::regrole AND NOT has_schema_privilege('tierstack_read', oid, 'USAGE') \\gexec
SELECT format('GRANT SELECT ON %s TO tierstack_read', oid::regclass) FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relowner = 'app'::regrole
    AND NOT has_table_privilege('tierstack_read', oid, 'SELECT') \\gexec
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO tierstack_read;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO tierstack_read;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO tierstack_read;
"""


def roles(number: str, opts: pulumi.ResourceOptions) -> None:
    """Three roles with passwords of their own, and the Job that logs in as the first of them."""
    role(number, "a", "app_a", f"db-{number}-login-1", ["app"], opts)
    role(number, "read", "tierstack_read", f"db-{number}-read", [], opts)
    role(number, "monitor", "tierstack_monitor", f"db-{number}-monitor", ["pg_monitor"], opts)
    marks = labels(f"db-{number}", "database-with-replicas")
    client = {f"tierstack.dev/roles-client.db-{number}": "true"}
    servers = pods(**{"cnpg.io/cluster": f"db-{number}", "cnpg.io/podRole": "instance"})
    rules = [Out(to=[Peer(pod_selector=servers)], ports=tcp(5432)), RESOLVER]
    egress(f"db-{number}-roles-policy", f"db-{number}-roles", marks, pods(**client), rules, opts)
    job(number, marks, {**client, f"tierstack.dev/server-client.db-{number}": "true"}, opts)


def role(number: str, short: str, name: str, secret: str, of: list[str], opts: pulumi.ResourceOptions) -> None:
    """A role, and its password, which the cluster makes."""
    marks = labels(f"db-{number}", "database-with-replicas")
    k8s.apiextensions.CustomResource(
        f"{secret}-generator",
        api_version="generators.external-secrets.io/v1alpha1",
        kind="Password",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=secret, labels=marks, annotations=ORDER["2"]),
        spec={"symbols": 0, "noUpper": False, "digits": 8, "length": 32, "allowRepeat": True},
        opts=opts,
    )
    generator = {"kind": "Password", "apiVersion": "generators.external-secrets.io/v1alpha1", "name": secret}
    content = {"password": "{{ .password }}", "username": name}
    k8s.apiextensions.CustomResource(
        secret,
        api_version="external-secrets.io/v1",
        kind="ExternalSecret",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=secret, labels=marks, annotations=ORDER["2"]),
        spec={
            "target": {"name": secret, "template": {"type": "kubernetes.io/basic-auth", "data": content}},
            "dataFrom": [{"sourceRef": {"generatorRef": generator}}],
            "refreshPolicy": "CreatedOnce",
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"db-{number}-role-{short}",
        api_version="postgresql.cnpg.io/v1",
        kind="DatabaseRole",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"db-{number}-role-{short}", labels=marks, annotations=ORDER["3"]
        ),
        spec={
            "cluster": {"name": f"db-{number}"},
            "name": name,
            "login": True,
            "passwordSecret": {"name": secret},
            **({"inRoles": of} if of else {}),
        },
        opts=opts,
    )


def job(number: str, marks: dict[str, str], selected: dict[str, str], opts: pulumi.ResourceOptions) -> None:
    """The first login of a role: what it makes then belongs to the owner."""
    variables = {
        "PGHOST": f"db-{number}-rw",
        "PGPORT": "5432",
        "PGDATABASE": "app",
        "PGUSER": "app_a",
        "PGCONNECT_TIMEOUT": "5",
        "SQL": SQL,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/run/tierstack/ca/database/ca.crt",
    }
    password = k8s.core.v1.EnvVarSourceArgs(
        secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(name=f"db-{number}-login-1", key="password")
    )
    container = k8s.core.v1.ContainerArgs(
        name="roles",
        image=image("postgresql:17.6"),
        command=["/bin/sh", "-c", 'until printf "%s" "$SQL" | psql -Xqw -v ON_ERROR_STOP=1; do sleep 2; done'],
        env=[
            *(k8s.core.v1.EnvVarArgs(name=name, value=value) for name, value in variables.items()),
            k8s.core.v1.EnvVarArgs(name="PGPASSWORD", value_from=password),
        ],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            limits={"memory": "64Mi"}, requests={"cpu": "10m", "memory": "64Mi"}
        ),
        security_context=k8s.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
            read_only_root_filesystem=True,
        ),
        volume_mounts=[k8s.core.v1.VolumeMountArgs(name="ca", mount_path="/run/tierstack/ca/database", read_only=True)],
    )
    authority = k8s.core.v1.SecretVolumeSourceArgs(
        secret_name=f"db-{number}-ca", items=[k8s.core.v1.KeyToPathArgs(key="ca.crt", path="ca.crt")]
    )
    pod = k8s.core.v1.PodSpecArgs(
        containers=[container],
        volumes=[k8s.core.v1.VolumeArgs(name="ca", secret=authority)],
        restart_policy="Never",
        automount_service_account_token=False,
        enable_service_links=False,
        security_context=k8s.core.v1.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=26,
            run_as_group=26,
            fs_group=26,
            fs_group_change_policy="OnRootMismatch",
            seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
    )
    k8s.batch.v1.Job(
        f"db-{number}-roles",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"db-{number}-role-2f1c9a44",
            labels=marks,
            annotations={
                "argocd.argoproj.io/hook": "Sync",
                "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation,HookSucceeded",
                **ORDER["3"],
            },
        ),
        spec=k8s.batch.v1.JobSpecArgs(
            backoff_limit=3,
            active_deadline_seconds=600,
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(labels={**labels(), **selected}), spec=pod
            ),
        ),
        opts=opts,
    )
