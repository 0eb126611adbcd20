"""The bakery's tasks: one for each order, and one for every night."""

from datetime import UTC, datetime, timedelta

from jobqueue import Bury, JobQueue, current_job

from . import orders

queue = JobQueue(retries=3)


@queue.task("confirmations", max_age=timedelta(hours=12))
def confirm(order_id: int) -> None:
    """Write to the customer. A job may run twice: the second writes the same again."""
    order = orders.get(order_id)
    if order is None:
        raise Bury(f"there is no order {order_id}")  # trying again would not help
    text = f"Good morning {order.customer}, your {order.loaves} loaves are ordered.\n"
    (orders.home() / f"order {order_id}.txt").write_text(text)


@queue.task("baking", cron="30 2 * * TUE-SAT", tz="Europe/Berlin")
def plan_baking() -> None:
    """Write down how much to bake. If it runs late, the day is that of its due time."""
    day = current_job().due or datetime.now(UTC)
    text = f"Bake {orders.total()} loaves.\n"
    (orders.home() / f"baking {day:%Y-%m-%d}.txt").write_text(text)
