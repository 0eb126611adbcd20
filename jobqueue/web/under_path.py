"""UnderPath: the page under a path that a proxy has, or an application around it."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_PAGE_OF_A_JOB = re.compile(r"/jobs/\d+(/body)?", re.ASCII)


def with_whole_path(scope: Scope) -> Scope:
    """Return a request with the path that browsers know, if a proxy left some out.

    An application around the page may know of that, as by ``FastAPI(root_path=...)``:
    then the path where it has the page mounted follows, and is in ``root_path``, too.
    """
    root, path = str(scope.get("root_path", "")), str(scope["path"])
    whole = str(scope.get("app_root_path", "")) + path
    is_cut = not f"{path}/".startswith(f"{root}/")
    if is_cut and f"{whole}/".startswith(f"{root}/"):
        return {**scope, "path": whole}
    return scope


class UnderPath:
    """Serves an application under a path, whether a proxy leaves that out or not."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._root = "/" + path.strip("/") if path.strip("/") else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered that may lack the path."""
        path = scope.get("path", "")
        if self._root and self._is_left_out_of(path):
            path = self._root + path
        await self._app({**scope, "path": path, "root_path": self._root}, receive, send)

    def _is_left_out_of(self, path: str) -> bool:
        if not f"{path}/".startswith(f"{self._root}/"):
            return True
        # Under /jobs, /jobs/7 is what a proxy leaves of /jobs/jobs/7.
        return self._root == "/jobs" and bool(_PAGE_OF_A_JOB.fullmatch(path))
