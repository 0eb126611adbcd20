"""For tests of your own tasks: a private broker, and running jobs in the test itself.

pytest finds the fixtures ``beanstalkd``, ``run_jobs`` and ``eager`` without any
configuration. For other test runners the same functions are here:

>>> with beanstalkd() as url:
...     send.put(to="ada@example.org", subject="Hello")
...     run_jobs(url)
1
[RanJob(id=1, tube='emails', func_name='send', kwargs={'to': ...}, error=None)]
"""

from jobqueue.testing.eager import eager
from jobqueue.testing.private_broker import beanstalkd
from jobqueue.testing.run_jobs import RanJob, run_jobs

__all__ = ["RanJob", "beanstalkd", "eager", "run_jobs"]
