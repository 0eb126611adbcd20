"""The bakery's web server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from opentelemetry import trace

from . import orders
from .tasks import confirm, queue
from .tracing import tracer


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the queue's connection when the server stops."""
    with queue:
        yield


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def traced(
    request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Make a span of a request. Newer versions of FastAPI make spans within it."""
    with tracer.start_as_current_span("request", kind=trace.SpanKind.SERVER):
        return await answer(request)


@app.post("/orders", status_code=202)
def order(customer: str, loaves: int) -> dict[str, int]:
    """Take an order; a worker confirms it. FastAPI calls this in a thread."""
    order_id = orders.add(orders.Order(customer, loaves))
    confirm.put(order_id=order_id)  # after the commit: a worker may be quick
    return {"order": order_id}
