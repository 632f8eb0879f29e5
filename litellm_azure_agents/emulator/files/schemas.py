"""Request bodies of the vector store routes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ..core.schemas import DataSource, Metadata, Strict, type_tag


class VectorStoreSources(Strict):
    data_sources: list[DataSource]


class AutoChunking(Strict):
    type: Literal["auto"]


class StaticSizes(Strict):
    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _overlap_is_small(self) -> StaticSizes:
        if self.chunk_overlap_tokens * 2 > self.max_chunk_size_tokens:
            raise ValueError("chunk_overlap_tokens must not exceed half of max_chunk_size_tokens")
        return self


class StaticChunking(Strict):
    type: Literal["static"]
    static: StaticSizes


Chunking = Annotated[
    Annotated[AutoChunking, Tag("~auto")] | Annotated[StaticChunking, Tag("~static")],
    Discriminator(type_tag),
]


class ExpiresAfter(Strict):
    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class VectorStoreUpdate(Strict):
    name: str | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class VectorStoreCreate(VectorStoreUpdate):
    file_ids: Annotated[list[str], Field(max_length=500)] | None = None
    configuration: VectorStoreSources | None = None
    chunking_strategy: Chunking | None = None


class VectorStoreFileCreate(Strict):
    file_id: str | None = None
    data_source: DataSource | None = None
    chunking_strategy: Chunking | None = None

    @model_validator(mode="after")
    def _one_source(self) -> VectorStoreFileCreate:
        if (self.file_id is None) == (self.data_source is None):
            raise ValueError("give exactly one of file_id and data_source")
        return self


class BatchCreate(Strict):
    file_ids: Annotated[list[str], Field(min_length=1, max_length=500)] | None = None
    data_sources: Annotated[list[DataSource], Field(min_length=1)] | None = None
    chunking_strategy: Chunking | None = None

    @model_validator(mode="after")
    def _one_source(self) -> BatchCreate:
        if (self.file_ids is None) == (self.data_sources is None):
            raise ValueError("give exactly one of file_ids and data_sources")
        return self
