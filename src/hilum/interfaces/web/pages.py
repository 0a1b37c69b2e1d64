"""Every page's routes -> one router under /app, and what a browser gets where a page cannot be shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from hilum import errors
from hilum.interfaces.http.problems import Problem
from hilum.interfaces.web import data, docs, doors, history, jobs_page, models, monitoring, read, settings_page, train
from hilum.interfaces.web.batched import Batched
from hilum.interfaces.web.page import show, wants_page
from hilum.interfaces.web.static_files import static

__all__ = ["install", "refused_page", "refused_scope", "router"]

router = APIRouter(prefix="/app", include_in_schema=False)
for one in (read, jobs_page, history, models, monitoring, data, train, settings_page):
    router.include_router(one.router)
Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Add the pages and their files; to be called after problems.install, whose answers browsers get as pages."""
    app.state.batched = Batched(app.state.parts)
    app.include_router(router)
    app.include_router(docs.router)
    app.include_router(doors.router)
    app.router.routes.append(static)
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _drawn(handler))  # type: ignore[arg-type]


def refused_scope(scope: Scope, error: BaseException, status: int) -> Response | None:
    """The page for a request that the security layer refused; None where a program asked."""
    return refused_page(Request(scope), error, status)


def _drawn(handler: Handler) -> Handler:
    async def drawn(request: Request, error: Exception) -> Response:
        response = await handler(request, error)
        return refused_page(request, error, response.status_code) or response

    return drawn


def refused_page(request: Request, error: BaseException, status: int) -> Response | None:
    """The page for an error, where a person's browser asked; None where a program did."""
    if not wants_page(request):
        return None
    if isinstance(error, errors.NotSignedIn):
        return RedirectResponse(f"/login?next={request.url.path}", 303)
    title, text, sign = _words(error, status)
    links = [("Go to Read", "/app/read"), ("Go to History", "/app/history")]
    return show(request, "message.html", {"title": title, "text": text, "sign": sign, "links": links}, status=status)


def _words(error: BaseException, status: int) -> tuple[str, str, str]:
    if isinstance(error, Problem) and error.code == "csrf":
        again = "Somebody signed in again in another tab since it was opened, so nothing was done. Open it again."
        return "This page is of an earlier sign-in", again, "lock"
    if isinstance(error, errors.NotAllowed) or status == 403:
        return (
            "This page is not for your role",
            f"{_sentence(error)} An administrator can change your role under Settings.",
            "lock",
        )
    if status == 404:
        return "There is nothing here", "The address is wrong, or what it named was erased.", "list"
    if isinstance(error, errors.HilumError | Problem) and status < 500:
        return "That could not be done", _sentence(error), "list"
    if status < 500:
        return "That could not be done", "The address asks for something that there is not.", "list"
    return (
        "Something went wrong here",
        "It was not your doing. The server's log says what happened; nothing was lost.",
        "reset",
    )


def _sentence(error: BaseException) -> str:
    text = str(error)
    return text[:1].upper() + text[1:].rstrip(".") + "."
