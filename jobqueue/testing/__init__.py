"""For tests of one's own tasks: a private broker, and running their jobs right here.

With pytest the fixtures ``beanstalkd``, ``run_jobs`` and ``eager`` are there by
themselves, with no configuration. Without it, the same is here:

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
