"""What the owner grants to the role that only reads. Pure: SQL for psql, run as the owner on both platforms.

Not `pg_read_all_data`, which reads the passwords' verifiers in `pg_authid` too.
"""

from tierstack.database.roles import READ


def grants_sql(owner: str) -> str:
    """Rights on the owner's objects, existing and future; safe to repeat.

    What has its right already is left alone: a grant that changes nothing still writes the row that a migration may
    be changing.
    """
    return f"""\
SELECT format('GRANT USAGE ON SCHEMA %I TO {READ}', nspname) FROM pg_namespace
    WHERE nspowner = '{owner}'::regrole AND NOT has_schema_privilege('{READ}', oid, 'USAGE') \\gexec
SELECT format('GRANT SELECT ON %s TO {READ}', oid::regclass) FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relowner = '{owner}'::regrole
    AND NOT has_table_privilege('{READ}', oid, 'SELECT') \\gexec
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {READ};
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READ};
ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO {READ};
"""  # noqa: S608 - both names are plain ones, which the arguments' rules see to
