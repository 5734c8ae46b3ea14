"""What kind of network an IP address belongs to, as a table; resolves nothing and connects nowhere."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address


class AddressKind(StrEnum):
    """Closed set. Only `public` is the internet; `INTERNAL` can be declared, and nothing else is ever reached."""

    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    SHARED = "shared"  # between a carrier and its customers (RFC 6598); overlay networks use it too
    LINK_LOCAL = "link_local"
    METADATA = "metadata"  # where a cloud hands its machines their credentials
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"  # 0.0.0.0 reaches the machine itself on several systems
    RESERVED = "reserved"


INTERNAL: Final = frozenset({AddressKind.PRIVATE, AddressKind.LOOPBACK, AddressKind.SHARED})

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, Oracle, DigitalOcean and others
        "169.254.170.2",  # AWS containers
        "169.254.170.23",  # AWS pods
        "fd00:ec2::254",
        "fd00:ec2::23",
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, of old
        "168.63.129.16",  # Azure's agent; looks public
        "fd20:ce::254",  # Google
    )
)

_Row = tuple[IPv4Network | IPv6Network, AddressKind]


def _rows(*rows: tuple[str, AddressKind]) -> tuple[_Row, ...]:
    return tuple((ip_network(text), kind) for text, kind in rows)


# From the registries of special-purpose addresses (RFC 6890 and its successors); the first match counts.
_IPV4 = _rows(
    ("0.0.0.0/8", AddressKind.UNSPECIFIED),
    ("10.0.0.0/8", AddressKind.PRIVATE),
    ("100.64.0.0/10", AddressKind.SHARED),
    ("127.0.0.0/8", AddressKind.LOOPBACK),
    ("169.254.0.0/16", AddressKind.LINK_LOCAL),
    ("172.16.0.0/12", AddressKind.PRIVATE),
    ("192.0.0.0/24", AddressKind.RESERVED),
    ("192.0.2.0/24", AddressKind.RESERVED),
    ("192.88.99.0/24", AddressKind.RESERVED),
    ("192.168.0.0/16", AddressKind.PRIVATE),
    ("198.18.0.0/15", AddressKind.RESERVED),
    ("198.51.100.0/24", AddressKind.RESERVED),
    ("203.0.113.0/24", AddressKind.RESERVED),
    ("224.0.0.0/4", AddressKind.MULTICAST),
    ("240.0.0.0/4", AddressKind.RESERVED),
)
_IPV6 = _rows(
    ("::/128", AddressKind.UNSPECIFIED),
    ("::1/128", AddressKind.LOOPBACK),
    ("fc00::/7", AddressKind.PRIVATE),
    ("fe80::/10", AddressKind.LINK_LOCAL),
    ("ff00::/8", AddressKind.MULTICAST),
    ("2001::/23", AddressKind.RESERVED),  # protocol assignments, Teredo among them
    ("2001:db8::/32", AddressKind.RESERVED),
    ("2002::/16", AddressKind.RESERVED),  # 6to4: an IPv4 address in IPv6 clothes, and deprecated
    ("3fff::/20", AddressKind.RESERVED),
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # Whatever IPv6 address is outside it was given to nobody.
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)  # the third quarter of an address that holds an IPv4 address in its last


def kind_of(address: Address | str) -> AddressKind:
    """An IPv6 address that stands for an IPv4 one is judged as that one. Raises: ValueError for what is no address."""
    plain = _without_clothes(ip_address(address) if isinstance(address, str) else address)
    if plain in _METADATA:
        return AddressKind.METADATA
    if isinstance(plain, IPv4Address):
        return _found(plain, _IPV4) or AddressKind.PUBLIC
    if (int(plain) >> 32) & 0xFFFFFFFF in _ISATAP and plain in _GLOBAL_UNICAST:
        return AddressKind.RESERVED
    return _found(plain, _IPV6) or (AddressKind.PUBLIC if plain in _GLOBAL_UNICAST else AddressKind.RESERVED)


def _without_clothes(address: Address) -> Address:
    """The address that a packet would really reach; a zone (`%eth0`) does not change its kind."""
    if isinstance(address, IPv4Address):
        return address
    plain = IPv6Address(int(address))
    if plain in _MAPPED or plain in _NAT64:
        return IPv4Address(int(plain) & 0xFFFFFFFF)
    return plain


def _found(address: Address, rows: tuple[_Row, ...]) -> AddressKind | None:
    return next((kind for network, kind in rows if address in network), None)
