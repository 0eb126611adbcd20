"""UnderPath: the page under a path that a proxy has."""

from starlette.types import ASGIApp, Receive, Scope, Send


class UnderPath:
    """Serves an application under a path, whether a proxy leaves that out or not."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._root = "/" + path.strip("/") if path.strip("/") else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered that may lack the path."""
        path = scope.get("path", "")
        if self._root and not f"{path}/".startswith(f"{self._root}/"):
            path = self._root + path
        await self._app({**scope, "path": path, "root_path": self._root}, receive, send)
