"""Durable tasks: admission, claims, limits, replay, outcomes, dead letters, and the worker that advances them."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.runtime.admission import QueueFull
    from airworthy.runtime.agent import Agent, AgentDefinitionError
    from airworthy.runtime.machine import IllegalTransition, State
    from airworthy.runtime.operations import Accepted, IdempotencyConflict, Operations, Submission
    from airworthy.runtime.run import Run, StepFailed
    from airworthy.runtime.runner import Desk, Ended
    from airworthy.runtime.sync_run import SyncRun
    from airworthy.runtime.tasks import NoSuchTask, TaskQuery, TaskRow
    from airworthy.runtime.worker import Worker, WorkerStopped

__getattr__ = late(
    __name__,
    {
        "admission": "QueueFull",
        "agent": "Agent AgentDefinitionError",
        "machine": "IllegalTransition State",
        "operations": "Accepted IdempotencyConflict Operations Submission",
        "run": "Run StepFailed",
        "runner": "Desk Ended",
        "sync_run": "SyncRun",
        "tasks": "NoSuchTask TaskQuery TaskRow",
        "worker": "Worker WorkerStopped",
    },
)

__all__ = [
    "Accepted",
    "Agent",
    "AgentDefinitionError",
    "Desk",
    "Ended",
    "IdempotencyConflict",
    "IllegalTransition",
    "NoSuchTask",
    "Operations",
    "QueueFull",
    "Run",
    "State",
    "StepFailed",
    "Submission",
    "SyncRun",
    "TaskQuery",
    "TaskRow",
    "Worker",
    "WorkerStopped",
]
