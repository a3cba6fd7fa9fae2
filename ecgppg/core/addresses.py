"""A cluster's address: whether anything listens there. Dask and Ray themselves would try on for minutes."""

import socket

from ecgppg.config.errors import RunError

CONNECT_SECONDS = 10.0


def refuse_silent(address: str, expected: str) -> None:
    """Open and close a connection.

    Parameters
    ----------
    address : str
        host:port, with or without a scheme before it.
    expected : str
        What should listen, for the message.

    Raises
    ------
    RunError
        Nothing listens within 10 s; one line with the address and the cause.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RunError(f"{address}: no {expected} answers ({error})") from error
