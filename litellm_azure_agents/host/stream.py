"""LiteLLM's stream object, which hands text of ours on without building its chunk again."""

from __future__ import annotations

from typing import Any

import litellm
from litellm.types.utils import ModelResponseStream


class AgentStream(litellm.CustomStreamWrapper):
    """Usage, logging, callbacks, rules and the end of a stream are LiteLLM's.

    For each chunk LiteLLM first makes an empty one, which it drops again when a custom provider's
    chunk is complete. The first chunk goes that way, since LiteLLM takes the id, the time and the
    model of the answer from it; and so does every chunk with more than a delta.
    """

    def chunk_creator(self, chunk: Any) -> Any:
        """What is given to the caller for ``chunk``."""
        if self.sent_first_chunk and self.received_finish_reason is None and _is_delta(chunk):
            return chunk
        return super().chunk_creator(chunk)


def _is_delta(chunk: ModelResponseStream) -> bool:
    """Whether a chunk of ours says nothing about the end or the usage of the answer."""
    return chunk.choices[0].finish_reason is None and getattr(chunk, "usage", None) is None
