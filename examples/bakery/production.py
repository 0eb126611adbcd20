"""What web server and worker import: the application, with all set up.

Spans are printed, a line each. A real application would use an ``OTLPSpanExporter``.
"""

from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from . import errors, tracing
from .web import app

__all__ = ["app"]

errors.set_up()
tracing.set_up(
    ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n")
)
