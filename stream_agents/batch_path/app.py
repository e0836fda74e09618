"""A Faust application whose consumer is the batch path's."""

from typing import Any

import faust

from stream_agents.batch_path.consumer import BatchConsumer, BatchTransport
from stream_agents.batch_path.parts import PathParts


class BatchApp(faust.App):
    """Like `faust.App`; one topic is served in batches (`serve_in_batches`), agents on other topics as usual."""

    path_parts: PathParts

    def serve_in_batches(self, parts: PathParts) -> None:
        """Subscribe to the hot topic; call before the application starts."""
        self.path_parts = parts
        self.topics.add(self.topic(parts.hot.source, key_type=bytes, value_type=bytes))

    async def _stop_consumer(self) -> None:
        # Faust closes the tables first, which would take them from under the batch on its way.
        if isinstance(self._consumer, BatchConsumer):
            await self._consumer.finish()
        await super()._stop_consumer()

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker_consumer, self)
