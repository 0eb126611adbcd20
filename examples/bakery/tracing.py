"""OpenTelemetry: from a request over its job to the work of a worker."""

from collections.abc import Iterator

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from jobqueue import Job, NewJob

from .tasks import queue

tracer = trace.get_tracer("bakery")


def set_up(exporter: SpanExporter) -> TracerProvider:
    """Send all spans of this process to an exporter."""
    provider = TracerProvider(resource=Resource.create({"service.name": "bakery"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


@queue.before_put
def create(job: NewJob) -> None:
    """Make a span of a put, and give the job its trace context."""
    kind = trace.SpanKind.PRODUCER
    with tracer.start_as_current_span(f"create {job.tube}", kind=kind):
        propagate.inject(job.headers)


@queue.around
def process(job: Job) -> Iterator[None]:
    """Make a span of each run of a job, with a link to its put."""
    put = trace.get_current_span(propagate.extract(job.headers)).get_span_context()
    links, kind = [trace.Link(put)], trace.SpanKind.CONSUMER
    with tracer.start_as_current_span(f"process {job.tube}", kind=kind, links=links):
        yield
