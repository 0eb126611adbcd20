"""Which names the page answers to, and which machines it answers.

A foreign page can't read this one, unless its own name leads here: its owner's name
server may say so (DNS rebinding). So the name that the browser asked for has to be one
of ours. An address can't be rebound.
"""

import ipaddress
import re

from jobqueue.web.settings import ANY_HOST, WebSettings

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::[0-9]{1,5})?")
_LOCAL_NAME = "localhost"


def is_host_allowed(header: str, settings: WebSettings) -> bool:
    """Return whether a ``Host`` header has a name that the page answers to."""
    if ANY_HOST in settings.hosts:
        return True
    found = _HOST.fullmatch(header.lower())
    if not found:
        return False
    name = found[1]
    if name == _LOCAL_NAME or name in settings.hosts:
        return True
    address = _address(name.strip("[]"))
    return address is not None and (address.is_loopback or settings.is_open)


def is_this_machine(client: str | None) -> bool:
    """Return whether a client is on this machine. None is one of a Unix socket."""
    if not client:
        return True
    address = _address(client)
    return address is not None and address.is_loopback


def without_port(client: str) -> str:
    """Return the address of a client from what a proxy says: some add a port.

    >>> without_port("[2001:db8::1]:4711")
    '2001:db8::1'
    """
    text = client.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, _port = text.partition(":")
    return host if colon and _address(host) else text


def network_of(client: str | None) -> str:
    """Return what one attacker may have: an IPv4 address, or a /64 of IPv6."""
    address = _address(client or "")
    if address is None:  # whatever a proxy may say instead, it is no new network
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
