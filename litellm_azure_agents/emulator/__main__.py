"""`python -m litellm_azure_agents.emulator`: serve a local Foundry project until interrupted."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import sys
import threading
import urllib.parse
import webbrowser
from collections.abc import Sequence
from typing import Any

from .core.settings import RUN_LIFETIME_SECONDS, Strictness
from .responses.checks import UNCONFIRMED_WITH_AGENT
from .seeds import SEEDED_CLASSIC, SEEDED_NEW
from .server import Emulator

USAGE = """
A local Foundry project is ready. Point any client of Azure AI Foundry agents at it:

    endpoint   {endpoint}
    token      {token}
    agents     {agents}
    page       {page}

    curl -s '{endpoint}/assistants/asst_echo?api-version=v1' -H 'Authorization: Bearer {example}'

Stop it with Ctrl-C."""

LENIENT = Strictness(
    min_max_tokens=1,
    allow_tool_choice_required=True,
    max_messages_per_request=100_000,
    max_attachments=10_000,
    allowed_with_agent=frozenset(UNCONFIRMED_WITH_AGENT),
    min_max_output_tokens=1,
    hosted_items_in_input=True,
    approvals_must_be_answered=False,
)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m litellm_azure_agents.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8790, help="0 picks a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: loopback")
    parser.add_argument("--data", metavar="FILE", help="keep everything in this SQLite file")
    parser.add_argument("--token", help="the only bearer token accepted (default: any)")
    parser.add_argument(
        "--run-lifetime", type=float, default=RUN_LIFETIME_SECONDS, help="seconds until runs expire"
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="accept what is unconfirmed: max tokens below 256, tool_choice required, ...",
    )
    parser.add_argument(
        "--agents",
        metavar="FILE",
        help="JSON list of agents: POST /assistants + id, or a new agent's version + name",
    )
    parser.add_argument(
        "--reset", action="store_true", help="empty the data file first, then add --agents"
    )
    parser.add_argument(
        "--faults",
        metavar="FILE",
        help="JSON list of fault rules: path_regex, method, times, and what goes wrong",
    )
    parser.add_argument(
        "--model",
        metavar="M",
        help="answer with this model of LiteLLM, such as ollama_chat/qwen3",
    )
    parser.add_argument(
        "--model-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=model_option,
        help="for every call of the model: api_base=http://..., num_retries=2, ... (repeatable)",
    )
    parser.add_argument(
        "--inject-search",
        action="store_true",
        help="search the files before the model is asked, for models bad at calling tools",
    )
    parser.add_argument(
        "--code-interpreter",
        choices=("off", "subprocess"),
        default="off",
        help="subprocess: run Python on this machine, limited but NOT sandboxed",
    )
    parser.add_argument(
        "--tls",
        nargs="?",
        const=True,
        default=False,
        metavar="DIR",
        help="serve https with a certificate made here (kept in DIR); its file is printed",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--json", action="store_true", help="print one line of JSON instead of text, when ready"
    )
    args = parser.parse_args(argv)
    if args.model is None and (args.model_option or args.inject_search):
        parser.error("--model-option and --inject-search need --model")
    if args.token == "":
        parser.error("--token is empty: without the option any token is accepted")
    if not 0 <= args.port <= 65535:
        parser.error(f"--port {args.port} is not a port")
    if args.run_lifetime <= 0:
        parser.error("--run-lifetime must be more than 0 seconds")
    return args


def model_option(text: str) -> tuple[str, Any]:
    """NAME=VALUE as a pair; a value that is JSON is parsed."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def quiet_litellm() -> None:
    """Import LiteLLM without its look-ups, and without advertisements in errors."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True


def load(path: str | None) -> list[dict[str, Any]]:
    """The objects of a JSON list in a file; [] without a file. Raises ValueError."""
    if path is None:
        return []
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise ValueError(f"{path} must hold a JSON list of objects")
    return entries


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    args = parse(argv)
    interpreter = None
    if args.code_interpreter == "subprocess":
        from .engine.code_runner import WARNING, SubprocessInterpreter

        interpreter = SubprocessInterpreter()
        print(WARNING, file=sys.stderr, flush=True)
    if args.model is not None:
        quiet_litellm()
    emulator = Emulator(
        args.port,
        args.token,
        args.data,
        host=args.host,
        interpreter=interpreter,
        model=args.model,
        model_options=dict(args.model_option),
        inject_search=args.inject_search,
        tls=args.tls,
        strictness=LENIENT if args.lenient else None,
        run_lifetime=args.run_lifetime,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        agents, faults = load(args.agents), load(args.faults)
        emulator.start()
        if args.reset:
            emulator.reset(agents=agents)
        else:
            emulator.seed(agents=agents)
        for fault in faults:
            emulator.faults.add(**fault)
    except (OSError, ValueError, sqlite3.Error) as error:
        emulator.stop()
        about = f"{args.data}: " if isinstance(error, sqlite3.Error) else ""
        print(f"The emulator can't start: {about}{error}", file=sys.stderr)
        return 1
    names = " ".join(str(a["id"]) for a in [*SEEDED_CLASSIC, *agents] if "id" in a)
    named = [name for name, _ in SEEDED_NEW] + [str(a["name"]) for a in agents if "definition" in a]
    names += "\n    new agents " + " ".join(dict.fromkeys(named))
    if args.model is not None:
        names += f"\n    answers    by {args.model}"
    if emulator.ca_file is not None:
        names += f"\n    trust      {emulator.ca_file}"
    shown, example = (args.token, args.token) if args.token else ("any, but not empty", "local")
    page = emulator.url + "/"
    if args.token:
        page += "#token=" + urllib.parse.quote(args.token, safe="")  # a fragment is never sent
    if args.json:
        ready = {"endpoint": emulator.endpoint, "page": page, "ca_file": emulator.ca_file}
        print(json.dumps(ready), flush=True)
    else:
        usage = USAGE.format(
            endpoint=emulator.endpoint, token=shown, agents=names, example=example, page=page
        )
        print(f"READY {emulator.endpoint}\n{usage}", flush=True)
    if args.open and not webbrowser.open(page):
        print(f"No browser could be opened; the page is {page}", file=sys.stderr)
    while not stop.wait(3600):
        pass
    emulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
