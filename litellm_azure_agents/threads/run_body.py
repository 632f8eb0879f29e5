"""Builds the body of a run; reads the agent's definition if something of it has to be merged."""

from __future__ import annotations

from ..content.uploads import Incoming
from ..core.actions import Actions
from ..core.call import Call
from ..core.json_values import Json, JsonObject, as_objects, as_text
from . import payloads
from .service import ThreadService


def build_run_body(
    call: Call,
    service: ThreadService,
    incoming: Incoming,
    system: str | None,
    *,
    new_thread: bool,
    stream: bool,
) -> Actions[JsonObject]:
    """Upload what the messages bring, then build the run's body with instructions and tools.

    ``system`` is the text of the system messages. Raises OptionError, ValueError and LiteLLM's
    exceptions.
    """

    def all_tools() -> Actions[list[Json]]:
        if call.options.agent_tools == "replace" and tools:
            return [*tools]
        agent = yield from service.agent()
        return [*as_objects(agent.get("tools")), *tools]

    tools = payloads.caller_tools(call) if call.options.agent_tools != "agent_only" else []
    yield from incoming.prepare(all_tools)
    body: JsonObject = payloads.build_run(call, stream=stream)
    replaces, adds = payloads.build_instructions(call, system)
    merge = bool(tools) and call.options.agent_tools == "merge"
    agent: Json = {}
    if merge or (adds and new_thread and replaces is None):
        agent = yield from service.agent()
    if adds and new_thread:
        # create-thread-and-run can't append: the agent's own text goes with ours (protocols A3)
        base = replaces if replaces is not None else as_text(agent.get("instructions"))
        replaces, adds = "\n\n".join(filter(None, (base, adds))), None
    if replaces is not None:
        body["instructions"] = replaces
    if adds:
        body["additional_instructions"] = adds
    if tools:
        own = as_objects(agent.get("tools")) if merge else ()
        body["tools"] = payloads.merge_tools(own, tools)
    if body.get("tool_choice") == "required":
        body["tool_choice"] = payloads.one_function("required", (yield from all_tools()))
    incoming.mark(body)
    return body
