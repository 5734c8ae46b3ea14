"""How a list says where it goes on: a Link header, as RFC 8288 has it."""

from fastapi import Request, Response


def goes_on(request: Request, response: Response, count: int, limit: int, **after: str | int) -> None:
    """Only where the page is full: there may be more. `after`: the parameter that names the last of this page."""
    if count >= limit and after:
        url = request.url.include_query_params(**after)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
