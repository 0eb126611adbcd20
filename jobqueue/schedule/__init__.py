"""When periodic tasks are due, and what becomes of a tick: rules without a broker."""
