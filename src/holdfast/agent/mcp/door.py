"""The tools, and the plant's tags and incidents as resources, over the Model Context Protocol (specification of 2025-11-25 and later)."""

import json
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any
from urllib.parse import quote, unquote

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from holdfast.agent.mcp.visitors import PER_S, Visitor
from holdfast.agent.tools.tool import Tool, ToolError, told
from holdfast.language import say
from holdfast.link import LinkError

Ctx = ServerRequestContext[Any, Any]
Who = Callable[[Ctx], Awaitable[Visitor]]
SCHEME = "holdfast://"
JSON = "application/json"
URI_CHARS_MAX = 500
# What can be read without knowing a tool: (path, tool, argument that the rest of the path is).
LISTS = (("tags", "read_tags"), ("incidents", "incidents"), ("alarms", "alarms"))
ONES = (("tags", "read_tags", "tags"), ("incidents", "incident", "incident"))


def door(who: Who, *, language: str = "en") -> Server[Any]:
    """`who` tells whose request it is. Raises LinkError where the gate can't be asked, LinkStranger for an unknown token."""

    async def visitor(context: Ctx) -> Visitor:
        try:
            return await who(context)
        except LinkError as error:
            raise MCPError(types.INVALID_REQUEST, say("mcp.no_gate", {"why": str(error)[:300]}, language)) from None

    listed: dict[tuple[str, ...], list[types.Tool]] = {}  # all visitors have the same tools, and their schemas take a while to make

    async def list_tools(context: Ctx, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        known = (await visitor(context)).tools
        if tuple(known) not in listed:
            listed.clear()
            listed[tuple(known)] = [_listed(tool, language) for tool in known.values()]
        return types.ListToolsResult(tools=listed[tuple(known)])

    async def call_tool(context: Ctx, params: types.CallToolRequestParams) -> types.CallToolResult:
        who_calls = await visitor(context)
        try:
            return _answer(await _used(who_calls, params.name, params.arguments or {}))
        except ToolError as error:
            return types.CallToolResult(content=[types.TextContent(type="text", text=error.told(language))], is_error=True)

    async def list_resources(context: Ctx, _: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        await visitor(context)
        return types.ListResourcesResult(
            resources=[
                types.Resource(uri=SCHEME + path, name=path, description=say(f"tools.{tool}", {}, language), mime_type=JSON)
                for path, tool in LISTS
            ]
        )

    async def list_templates(context: Ctx, _: types.PaginatedRequestParams | None) -> types.ListResourceTemplatesResult:
        await visitor(context)
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=f"{SCHEME}{path}/{{{argument}}}", name=f"one of {path}", description=say(f"tools.{tool}", {}, language),
                    mime_type=JSON,
                )
                for path, tool, argument in ONES
            ]
        )  # fmt: skip

    async def read_resource(context: Ctx, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        who_calls, uri = await visitor(context), str(params.uri)
        tool, arguments = _meant(uri, language)
        try:
            text = await _used(who_calls, tool, arguments)
        except ToolError as error:
            raise MCPError(types.INVALID_PARAMS, error.told(language)) from None
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, mime_type=JSON, text=text)])

    return Server(
        "holdfast",
        version=version("holdfast"),
        instructions=say("mcp.instructions", {}, language),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


def _listed(tool: Tool[Any], language: str) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description(language),
        input_schema=dict(tool.schema()),
        annotations=types.ToolAnnotations(
            read_only_hint=not tool.acts, destructive_hint=tool.acts, idempotent_hint=not tool.acts, open_world_hint=False
        ),
    )


def uri_of(path: str, name: str = "") -> str:
    """`holdfast://tags/stand-4%2Fvibration`."""
    return f"{SCHEME}{path}/{quote(name, safe='')}" if name else SCHEME + path


async def _used(visitor: Visitor, name: str, arguments: dict[str, Any]) -> str:
    """The answer as JSON text. Raises ToolError."""
    if not visitor.may_call():
        raise ToolError("mcp.often", calls=f"{PER_S:g}")
    tool = visitor.tools.get(name)
    if tool is None:
        raise ToolError("mcp.no_tool", tool=name[:100], tools=", ".join(visitor.tools))
    return told(await tool.use(arguments))


def _answer(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=json.loads(text))


def _meant(uri: str, language: str) -> tuple[str, dict[str, Any]]:
    """The tool behind a resource, and its arguments. Raises MCPError."""
    path, _, rest = uri.removeprefix(SCHEME).partition("/") if uri.startswith(SCHEME) and len(uri) <= URI_CHARS_MAX else ("", "", "")
    name = unquote(rest)
    if not name:
        tool = next((tool for known, tool in LISTS if known == path), None)
        if tool is not None:
            return tool, {}
    for known, tool, argument in ONES:
        if name and known == path:
            return tool, {argument: [name] if argument == "tags" else name}
    known = ", ".join([SCHEME + path for path, _ in LISTS] + [f"{SCHEME}{path}/{{{argument}}}" for path, _, argument in ONES])
    raise MCPError(types.INVALID_PARAMS, say("mcp.no_resource", {"uri": uri[:100], "known": known}, language))
