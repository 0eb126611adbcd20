"""The texts above and below the options in ``--help``."""

DESCRIPTION = """\
See which jobs of a beanstalkd wait and which failed, and have them run again.
`jobqueue COMMAND --help` explains a command."""

OVERVIEW = """\
examples:
  jobqueue stats                         how many jobs wait, and how many failed
  jobqueue failures                      why jobs failed, and since when
  jobqueue list emails --state buried    the jobs that failed
  jobqueue show 17                       one job: its counts, body and traceback
  jobqueue kick emails --all             have all failed jobs run again
  jobqueue top                           the counts, live
  jobqueue web                           all of this in a browser
  jobqueue worker --import app.tasks     run the jobs of these tasks

A tube is a named queue. A job is ready, delayed (ready later), reserved (a
worker runs it) or buried (it failed, and stays until it is kicked or deleted).
Workers note why a job failed, in the broker itself: the last 1,000 failures of
each tube. Notes are not counted as jobs.

Exit status: 0 if the command did its work; 1 if there was nothing to do, a tube
or job does not exist, the broker can't be reached, or the output can't be
written; 2 for a wrong command line; 128 and the signal's number if a signal
ended the command, also if `| head` stopped reading (141).

With --json:
  stats   {"server": {...}, "tubes": [{"tube": ..., "ready": ..., ...}, ...]}
  top     a line like that of stats for each sample, with puts_per_second,
          deletes_per_second and, for the server, timeouts_per_second
  list    a line for each job: id, tube, state, priority, age, delay, ttr,
          time_left, reserves, timeouts, releases, buries, kicks, func_name
          and kwargs (both null if the body is not in jobqueue's format), and
          error, error_text and failed_at (null if no failure is noted)
  show    the same, with the body instead of func_name and kwargs, and with
          "failure": null or {"error": ..., "traceback": ..., ...}
  failures  {"failures": [{"tube": ..., "func_name": ..., "error": ...,
          "failed": 3, "buried": 2, "retries": 0, "first": ..., "last": ...,
          "last_job": 17, "last_text": ...}, ...]}; with --job, the failures
          as those of show, each with "job_id"
  schedules  {"schedules": [{"name": "reports/nightly", "definition": ...,
          "next_due": ..., "last_put": ..., "workers": 2, ...}, ...]}; with run
          {"id": 17}, with delete {"deleted": 1}
  kick    {"kicked": 3}, and with --job "not_kicked": [ids]; with --dry-run
          {"kicked": 0, "count": 3}, and "would_kick": [ids] unless --all
          or --count
  delete  {"deleted": 3, "not_deleted": [ids]}; with --dry-run
          {"would_delete": [ids]}
  clear   {"cleared": 3, "reserved": 0, "left": 0}; with --dry-run
          {"would_clear": [ids]}
  pause, resume   {"tube": "emails", "paused": 60}
  put     {"id": 17}
  import  {"put": 3, "next_line": null, "unconfirmed": 0}
Times are whole seconds. A reserved job with a time_left below 0 is past its
ttr: see `jobqueue list --help`. New keys may be added; none is renamed or
dropped.
"""

STATS = """\
columns:
  READY, DELAYED, RESERVED, BURIED   the number of jobs in each state
  WATCH     connections that take jobs from the tube
  WAIT      those of them that wait for a job now
  PUTS      jobs put since the server started, or since the tube exists
  PAUSED    for how much longer the tube hands out no jobs
  NOTED     failures that are noted: see `jobqueue failures`

A narrow terminal shows fewer columns.

Below the table, a line warns if the binlog is larger than its jobs can need:
retries and kicks fill it.

beanstalkd does not count the reserved jobs that are past their ttr: `jobqueue
list TUBE --state reserved` looks for them.
"""

TOP = """\
On a terminal, with the extra jobqueue[cli], it fills the screen, and q quits.
Otherwise it prints a table for each sample until Ctrl-C.

columns, beside those of stats:
  PUT/S, DEL/S    jobs put and deleted per second; a job that is done is deleted
  FAIL/S          failures per second, also those after which a job is retried
  TREND           the number of ready jobs in the last samples
"""

LIST = """\
columns:
  AGE    the time since the job was put
  LEFT   the time until a delayed job is ready, or a reserved job's ttr ends;
         below 0 (-21s): the ttr ended that long ago
  FAILED, WHY   how long ago the job failed last, and its error, if noted
  CALL   the function and its arguments; a dash and the body, if that is not in
         jobqueue's format
  PRI    the priority: 0 is the most urgent
  RES    reserves: how often a worker took the job
  TMO    timeouts: how often a worker held it longer than its ttr
  REL    releases: how often a worker gave it back, as for a retry
  BUR    buries: how often it was buried
  KIC    kicks: how often it was kicked

A narrow terminal shows fewer columns.

A reserved job is past its ttr if its worker froze, or its machine or network
vanished: a healthy worker renews the ttr. A busy beanstalkd (up to 1.13) often
misses the end of a ttr, and keeps such a job reserved until its worker's
connection ends: end the frozen worker, or the connection on the broker's
machine.
"""

SHOW = """\
Shows the traceback of the job's last failure as well, if there is a note of it.
A job that was deleted for its kicks is shown from its note.
"""

FAILURES = """\
columns:
  FAILED    failures for good: the job was buried, or deleted for its kicks
  BURIED    jobs that are still buried, and failed like this the last time
  RETRIED   failures after which the job was tried again
  FIRST, LAST   how long ago the first and the last failure was
  JOB, TEXT     the job that failed last, and its error

Workers keep notes of the last 1,000 failures and retries of each tube. A kick
or a delete of a job deletes its notes. Reading changes nothing.

examples:
  jobqueue failures emails --since 2h
  jobqueue failures --job 17              with the traceback
  jobqueue kick --func send --error TimeoutError
"""

SCHEDULES = """\
columns:
  SCHEDULE   the task's tube and its name
  DUE        its times, by the code of the worker that started last
  NEXT, IN   the next due time, in UTC, and how long until then; below 0: late
  LAST, JOB  how long ago its last job was put, and its id; `run` doesn't count
  WORKERS    processes that have the task; 0: nobody puts its jobs

Workers keep a schedule for each periodic task that they have, as a job in a
tube of its own; no other command counts or touches these jobs. A worker that
starts with other code changes the schedule. If a task was renamed or removed,
its schedule stays, as half of a deploy may still be old: delete it. If jobs are
signed, run needs $JOBQUEUE_SECRET.

examples:
  jobqueue schedules
  jobqueue schedules run nightly             put a job now, and print its id
  jobqueue schedules delete reports/nightly  of a task that is gone
"""

KICK = """\
Kicks buried jobs only; with --count those that were buried first. (beanstalkd's
own kick takes delayed jobs if none is buried.)

A kick grants a job all its retries and losses (max_lost) again. A job that
fails after its task's max_kicks (3 by default) is deleted: the question, and
--dry-run, say for which jobs this kick is the last.

With --func and the like it kicks the jobs that match all of these options, of
one tube or of all. If there are several jobs, it asks; a script needs --yes.

examples:
  jobqueue kick emails --all
  jobqueue kick --job 17 18
  jobqueue kick --func send --error TimeoutError --since 2h
"""

DELETE = """\
A reserved job can be deleted by its worker only.

With --func and the like, and without ids, it deletes the jobs that match all of
these options. If there are several jobs, it asks; a script needs --yes.

examples:
  jobqueue delete 17 18
  jobqueue delete --tube emails --func send --error InvalidAddress --dry-run
"""

CLEAR = """\
Asks first on a terminal; a script needs --yes. A reserved job can be deleted by
its worker only: --state reserved prints how many there are.

examples:
  jobqueue clear emails --state buried
  jobqueue clear emails --state ready --state delayed --yes
"""

PAUSE = """\
Jobs that are running go on, and new jobs can be put.

example:
  jobqueue pause emails 3600
"""

PUT = """\
A value that is JSON is read as JSON, any other value as a string: n=1 is a
number; to=ada, when=2026-01-01 and x=NaN are strings. For a string that looks
like JSON, add JSON's quotes: code='"0123"' or flag='"true"'.

With --import, the job is put as by code: with the task's own options, broker
and secret. A wrong name or argument is then an error here, and not a buried
job: best for crontabs and scripts.

--failed puts a job again that was deleted for its kicks, from the note of its
failure.

examples:
  jobqueue put emails send to=ada@example.org subject="Hello, Ada"
  jobqueue put reports build 'ids=[1, 2]' draft=true --delay 60
  jobqueue put reports build 'ids=[1, 2]' --import app.tasks
"""

EXPORT = """\
Changes nothing. A line has the keys of `list --json`, with the body instead of
func_name and kwargs: "body" if it is UTF-8, else "body_base64". "delay" is how
many seconds are left until the job is ready. A job that starts or ends
meanwhile may be missing: pause the tube first.

example:
  jobqueue pause emails 3600 && jobqueue export emails > jobs.jsonl
"""

IMPORT = """\
Puts each job into its tube, with its priority, its ttr and the rest of its
delay. Jobs get new ids, and their counts start at 0. Reserved jobs become
ready. Buried jobs are put with a delay of a hundred years, so that no worker
gets them, and buried at once; that needs beanstalkd 1.12 or newer.

If the import stops half-way (at a line that can't be read, at Ctrl-C, or as the
broker can't be reached), it prints how many jobs were put, and the line to go
on at:
  jobqueue import --from-line 1201 jobs.jsonl
"""

WEB = """\
The tubes, why jobs failed, and single jobs, in a browser, also on a phone.
Needs the extra jobqueue[web].

It serves this machine alone. For others, set $JOBQUEUE_WEB_PASSWORD (12
characters at least; any user name will do, and is logged) and --host. Or have a
proxy ask for a login, and give --behind-proxy. For TLS, too, there has to be a
proxy.

With --allow-actions it also kicks, deletes, puts, pauses and resumes. Each
change is logged, with who asked for it and the ids of the jobs.

examples:
  jobqueue web
  JOBQUEUE_WEB_PASSWORD=... jobqueue web --host 0.0.0.0 --allow-actions
  jobqueue web --behind-proxy --allow-host ops.example.org --root-path /jobs
"""
