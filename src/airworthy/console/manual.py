"""Tools by hand over HTTP: a person goes on with a task in the agent's place."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.parts import Deciding, Given, Looking
from airworthy.runtime.documents import Document, tool_document

router = APIRouter(tags=["by hand"])


class NewCall(BaseModel):
    """`again`: even if this task has made the very same act before."""

    model_config = ConfigDict(extra="forbid")

    arguments: Annotated[dict[str, Any], Field(max_length=500)] = {}
    again: bool = False


@router.get("/tasks/{task_id}/tools")
def tools(task_id: str, given: Given, _: Looking) -> list[Document]:
    """The tools that can be called for a task, with the JSON Schema of their arguments."""
    return [tool_document(tool) for tool in given.by_hand.tools(task_id)]


@router.post("/tasks/{task_id}/tools/{tool}")
async def call(task_id: str, tool: str, new: NewCall, given: Given, who: Deciding) -> Document:
    """One call, checked, bounded and recorded as the agent's are; `waiting_for` says that it needs a yes first."""
    called = await given.by_hand.call(task_id, tool, new.arguments, who.name, again=new.again)
    return {"task": task_id, "tool": tool, **called.document()}
