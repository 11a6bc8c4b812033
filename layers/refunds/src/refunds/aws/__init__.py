"""AWS: a direct way for the few calls every refund makes, and botocore for everything else."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any

from refunds.aws.direct import Connections, DirectClients
from refunds.aws.signature import Keys

ClientMaker = Callable[[str], Any]
"""Makes a client of a service by its name at botocore: ``dynamodb``, ``events``, …"""


def refund_clients(environment: Mapping[str, str], tls: ssl.SSLContext, *, connections: int) -> ClientMaker:
    """Clients for what a refund calls; which services and operations that is, ``refunds.aws.direct`` says.

    The direct way needs Lambda's keys in the environment. Where they come from elsewhere (SnapStart's
    credentials, a developer's profile), botocore finds them and makes the clients.

    Args:
        environment: of the process.
        tls: trusts AWS's certificates.
        connections: pooled connections of a botocore client; as many as records are settled at once.
    """
    keys = Keys.from_environment(environment)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if keys is None or not region:
        from refunds.aws.sdk import SdkClients  # noqa: PLC0415 - botocore takes 100 ms to import

        return SdkClients(connections=connections).make
    return DirectClients(keys, region, environment, Connections(tls)).make
