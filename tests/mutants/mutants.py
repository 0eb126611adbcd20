"""All mutants, of every room."""

from .of_admin import OF_ADMIN
from .of_broker import OF_BROKER
from .of_connections import OF_CONNECTIONS
from .of_job import OF_JOB
from .of_loop_slots import OF_LOOP_SLOTS
from .of_messages import OF_MESSAGES
from .of_processes import OF_PROCESSES
from .of_proof import OF_PROOF
from .of_reporting import OF_REPORTING
from .of_schedules import OF_SCHEDULES
from .of_slots import OF_SLOTS

MUTANTS = [
    *OF_BROKER,
    *OF_CONNECTIONS,
    *OF_JOB,
    *OF_MESSAGES,
    *OF_SLOTS,
    *OF_LOOP_SLOTS,
    *OF_SCHEDULES,
    *OF_PROCESSES,
    *OF_REPORTING,
    *OF_ADMIN,
    *OF_PROOF,
]
