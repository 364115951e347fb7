"""Model endpoints: where language models answer, what each may see and do, in the order in which they are asked.

What is on the site is judged by address: loopback, private (RFC 1918, RFC 4193) and link-local. A name is not: what it stands for is
the name server's word, and can change after a person has signed for it. Data above `public` goes to no address off the site.
"""

import hashlib
import ipaddress
from collections.abc import Collection, Mapping
from typing import Literal
from urllib.parse import urlsplit

from holdfast.site.log import Log, nearest, one_of
from holdfast.site.model import Endpoint
from holdfast.site.names import Register, clean
from holdfast.site.secrets import fault, is_reference
from holdfast.site.shapes import At, Block

SKILLS = ("ask", "rerank")
DIALECTS = ("vllm", "sglang", "llamacpp", "ollama", "triton")
OVER_HTTP = "openai"  # the engine that needs url, model and dialect; others run in the agent and have options of their own
ENDPOINTS_MAX = 32
PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
)

Place = Literal["site", "off", "name"]


def place_of(host: str) -> Place:
    """Whether a host of a URL lies on the site, off it, or is a name, of which nobody here can tell."""
    if host.casefold() == "localhost":
        return "site"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "name"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    one = mapped or address
    return "site" if any(one.version == net.version and one in net for net in PRIVATE) else "off"


def make_endpoints(entries: Mapping[str, At], engines: Collection[str], log: Log) -> tuple[Endpoint, ...]:
    """The endpoints in the file's order, which is the order of the rungs. `engines` are those that are installed."""
    names = Register("model endpoint")
    made: list[Endpoint] = []
    for key, at in entries.items():
        block: Block = at.value
        file, line, name = at.node.file, at.line, clean(key)
        names.take(name, file, line, log)
        if len(made) == ENDPOINTS_MAX:
            log.error(file, line, f"more than {ENDPOINTS_MAX} model endpoints", "keep those that are asked")
            break
        engine = block.get("engine", "")
        if engine and engine not in engines:
            log.error(
                file, block.line("engine"), f'no engine "{engine}" is installed', nearest(engine, engines, f"write {one_of(engines)}")
            )
        if block.get("clearance") is None or not block.listed("skills") or not block.listed("languages"):
            continue  # told already
        if engine == OVER_HTTP:
            _reachable(block, name, log)
        options = dict(block.rest) | {k: v for k, v in block.found.items() if k in ("key",)}
        for option, value in options.items():
            why = fault(value.value) if isinstance(value.value, str) else None
            if why:
                log.error(file, value.line, f"`{option}` of {name}: {why}", "write env:NAME or file:NAME, relative to the site file")
        if "key" in options and not is_reference(options["key"].value):
            log.error(file, block.line("key"), f"the key of {name} stands in the site file", "write key: file:NAME or env:NAME")
        made.append(
            Endpoint(
                name=name,
                engine=engine,
                url=block.get("url", ""),
                model=block.get("model", ""),
                dialect=block.get("dialect", ""),
                clearance=block.get("clearance"),
                skills=tuple(dict.fromkeys(one.value for one in block.listed("skills"))),
                languages=tuple(dict.fromkeys(one.value for one in block.listed("languages"))),
                key=block.get("key", ""),
                at_once=block.get("at_once", 1),
                context_tokens=block.get("context", 8192),
                timeout_s=block.get("timeout", 20.0),
                options=tuple(sorted((k, v.value) for k, v in block.rest.items())),
                line=line,
            )
        )
    return tuple(made)


def _reachable(block: Block, name: str, log: Log) -> None:
    """A url that says who is asked, and a clearance that fits where that is."""
    file = block.node.file
    for needed in ("url", "model", "dialect"):
        if block.at(needed) is None and needed not in block.present:
            log.error(file, block.node.line, f"{name} lacks `{needed}`", f"write {needed}: … (the engine {OVER_HTTP} can't do without)")
    if block.at("url") is None:
        return
    url, line = block.get("url"), block.line("url")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        log.error(file, line, f"`url` can't be used: {error}", "write http://ADDRESS:PORT/v1")
        return
    if parts.scheme not in ("http", "https") or not host or port == 0 or parts.username is not None or parts.query or parts.fragment:
        cure = "write http://ADDRESS:PORT/v1, without user, query or fragment; a key has a key of its own"
        log.error(file, line, f"`url` can't be used: {url[:80]}", cure)
        return
    place = place_of(host)
    if place != "site" and block.get("clearance") != "public":
        what = "is off the site" if place == "off" else "is a name, which may stand for an address off the site"
        cure = "write the server's address on the site, or clearance: public if nothing but public data may go there"
        log.error(file, line, f"{name}: {host} {what}, and its clearance is {block.get('clearance')}", cure)
    elif place != "site":
        log.warn(file, line, f"{name} sends public data to {host}", "it leaves the site; delete this endpoint if that is not meant")
    elif parts.scheme == "http" and not _loopback(host):
        log.warn(file, line, f"{name} is not encrypted", "whoever is on this network can read prompts and change answers: use https")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def socket_name(endpoint: str) -> str:
    """The file, beside the link's socket, through which a cell reaches this endpoint; names may be Chinese, paths have little room."""
    return f"model-{hashlib.sha256(endpoint.encode()).hexdigest()[:12]}.sock"
