"""Durable tasks: admission, claims, limits, replay, outcomes, dead letters, and the worker that advances them."""

from airworthy.runtime.admission import QueueFull
from airworthy.runtime.agent import Agent, AgentDefinitionError
from airworthy.runtime.machine import IllegalTransition, State
from airworthy.runtime.operations import Accepted, IdempotencyConflict, Operations, Submission
from airworthy.runtime.run import Run, StepFailed
from airworthy.runtime.runner import Desk, Ended
from airworthy.runtime.sync_run import SyncRun
from airworthy.runtime.tasks import NoSuchTask, TaskQuery, TaskRow
from airworthy.runtime.worker import Worker, WorkerStopped

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
