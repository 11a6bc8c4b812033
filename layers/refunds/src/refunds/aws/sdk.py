"""Clients of botocore: every service and operation, and credentials wherever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import get_session

if TYPE_CHECKING:
    from botocore.client import BaseClient


class SdkClients:
    """Clients from one botocore session, which loads its data files once.

    Args:
        connections: pooled connections per client; as many as records are settled at once.
    """

    def __init__(self, *, connections: int) -> None:
        self._session = get_session()
        self._config = _config(connections)

    def make(self, service: str) -> Any:
        """A client of an AWS service; region and endpoint come from the environment."""
        client: BaseClient = self._session.create_client(service, config=self._config)
        return client


def _config(connections: int) -> Config:
    """Short timeouts and few repeats: the message's own redelivery is the patient one."""
    return Config(
        max_pool_connections=connections,
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        tcp_keepalive=True,
    )
