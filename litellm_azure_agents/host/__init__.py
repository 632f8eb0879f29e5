"""Everything that knows LiteLLM: registration, the handlers, arguments and chunks."""
