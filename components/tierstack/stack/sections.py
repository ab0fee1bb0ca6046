"""The components that stacks are made of, in the order in which a reader thinks of them. The documentation keeps it."""

from typing import Any

from tierstack.app_cluster.section import SECTION as APP
from tierstack.backup_schedule.dumps.section import SECTION as DUMPS
from tierstack.backup_schedule.restic.section import SECTION as FILE_BACKUPS
from tierstack.backup_schedule.section import SECTION as BACKUPS
from tierstack.cluster_addons.section import SECTION as ADDONS
from tierstack.core.section import Section
from tierstack.database.section import SECTION as DATABASE
from tierstack.dns_records.section import SECTION as DNS
from tierstack.gateway.section import SECTION as GATEWAY
from tierstack.mta_sts_host.section import SECTION as MTA_STS
from tierstack.object_storage.section import SECTION as OBJECT_STORAGE
from tierstack.redis_cluster.section import SECTION as REDIS
from tierstack.tls.section import SECTION as TLS

SECTIONS: list[Section[Any]] = [
    TLS,
    GATEWAY,
    APP,
    DATABASE,
    REDIS,
    OBJECT_STORAGE,
    BACKUPS,
    FILE_BACKUPS,
    DUMPS,
    MTA_STS,
    ADDONS,
    DNS,
]
