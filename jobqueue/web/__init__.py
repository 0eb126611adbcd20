"""The page for operators: tubes, failures, jobs and schedules, in a browser.

``jobqueue web`` serves it, and :func:`app` mounts it into an ASGI application. The
extra ``jobqueue[web]`` installs what it needs.
"""

try:
    from jobqueue.web.application import app
except ModuleNotFoundError as error:
    raise ImportError(
        f"jobqueue.web needs the extra jobqueue[web] (there is no {error.name}): "
        "pip install 'jobqueue[web]'"
    ) from error

__all__ = ["app"]
