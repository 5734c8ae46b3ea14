"""How a list says where it goes on: a Link header, as RFC 8288 has it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response


@dataclass(frozen=True, slots=True)
class Page:
    """A request for a list, and its answer."""

    request: Request
    response: Response

    def goes_on(self, count: int, limit: int, **after: str | int) -> None:
        """Only where the page is full: there may be more. `after`: the parameter that names the last of this page."""
        if count >= limit:
            url = self.request.url.include_query_params(**after)
            self.response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'


async def page(request: Request, response: Response) -> Page:
    return Page(request, response)


Paged = Annotated[Page, Depends(page)]
