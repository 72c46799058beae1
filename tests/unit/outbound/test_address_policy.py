"""fastpay/outbound/address_policy.py: every way to spell an address inside, and what an operator allows."""

import socket

import pytest

from fastpay.outbound.address_policy import AddressPolicy, AddressRefused

INSIDE = (
    # Loopback and this host.
    *("127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::", "::1"),
    # Private.
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"),
    *("fc00::1", "fd00::1", "fdff:ffff::1", "fec0::1"),
    # Link-local, metadata and hosts of clouds.
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%1", "fe80::a9fe:a9fe"),
    *("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    # Carrier-grade NAT.
    *("100.64.0.1", "100.127.255.255"),
    # IPv4 inside of IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP.
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::7f00:1"),
    *("::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
    *("2600:1::5efe:10.0.0.1", "2600:1::200:5efe:10.0.0.1"),
    # Documentation, benchmarks, assignments, relays, discard, multicast, reserved, broadcast.
    *("192.0.0.1", "192.0.2.1", "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "198.18.0.1"),
    *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "100::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1"),
    *("2620:4f:8000::1", "ff02::1", "ff0e::1", "5f00::1", "4000::1"),
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.1")
PUBLIC_TOO = ("172.15.255.255", "172.32.0.0", "192.167.1.1", "198.17.0.1", "223.255.255.255", "168.63.129.17")
PUBLIC_IPV6 = ("2606:4700::1111", "2a00:1450:4001::5", "2001:4860:4860::8888", "2003::1")
# Spellings of addresses inside that a resolver understands.
SPELLINGS = (
    *("2130706433", "0x7f000001", "017700000001", "0x7f.0.0.1", "0177.0.0.1", "0x7f.1", "127.1", "127.0.1"),
    *(
        "0",
        "0x0",
        "00.00.00.00",
        "10.1",
        "012.0.0.1",
        "0xa000001",
        "3232235521",
        "0xc0.0xa8.0.1",
        "192.168.1",
    ),
    *("2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "100.6635720", "1681915904"),
    *("localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "0x7F000001"),
)


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy().check(address)


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC_TOO, *PUBLIC_IPV6])
def test_an_address_of_the_internet_is_not(address: str) -> None:
    AddressPolicy().check(address)
    with pytest.raises(AddressRefused):
        AddressPolicy(["10.0.0.0/8"], only_allowed=True).check(address)


@pytest.mark.parametrize("host", SPELLINGS)
def test_whatever_the_resolver_understands_is_refused_after_it(host: str) -> None:
    try:
        found = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # What the resolver does not understand is connected to by nobody.
        return
    for *_, address in found:
        with pytest.raises(AddressRefused):
            AddressPolicy().check(str(address[0]))


@pytest.mark.parametrize("host", [*SPELLINGS, "[::1]", "a.localhost", "169.254.169.254"])
def test_a_host_that_is_an_address_is_refused_before_a_proxy_is_asked(host: str) -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy().check_host(host)


def test_a_name_is_for_the_proxy_to_resolve() -> None:
    AddressPolicy().check_host("receiver.example")
    AddressPolicy().check_host("8.8.8.8")


def test_an_operator_may_allow_networks_inside() -> None:
    policy = AddressPolicy(["10.1.0.0/16", "fd00:1::/32", "127.0.0.1"])
    for address in ("10.1.2.3", "fd00:1::5", "127.0.0.1", "8.8.8.8"):
        policy.check(address)
    for address in ("10.2.0.1", "fd00:2::1", "127.0.0.2", "::ffff:10.1.2.3", "::1"):
        with pytest.raises(AddressRefused):
            policy.check(address)


def test_only_allowed_networks_are_for_live_events_without_tls() -> None:
    policy = AddressPolicy(["10.1.0.0/16"], only_allowed=True)
    policy.check("10.1.2.3")
    for address in ("8.8.8.8", "10.2.0.1", "2606:4700::1111"):
        with pytest.raises(AddressRefused):
            policy.check(address)


def test_the_zone_of_an_address_is_never_allowed() -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy(["fe80::/10"]).check("fe80::1%eth0")


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy().check("receiver.example")


def test_the_table_is_as_long_as_promised() -> None:
    assert len({*INSIDE, *SPELLINGS}) >= 100
