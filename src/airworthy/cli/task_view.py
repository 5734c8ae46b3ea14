"""One task for a person: a sentence, how it ended and why, what to do next, then its steps."""

from airworthy.app.build import App
from airworthy.app.lookup import workers
from airworthy.cli import show
from airworthy.cli.next_step import Surroundings, next_steps
from airworthy.cli.step_view import PAYLOAD_CHARS_MAX, is_clipped, show_step
from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome
from airworthy.runtime import TaskRow, documents
from airworthy.runtime.claimed import is_rehearsal
from airworthy.runtime.switches import ALL, of_agent


class View:
    """All that is read about one task, at one moment."""

    def __init__(self, app: App, task_id: str) -> None:
        self.task: TaskRow = app.operations.task(task_id)
        self.steps = app.operations.steps(task_id)
        self.effects = app.operations.effects(task_id)
        self.forks = [fork.id for fork in app.operations.forks(task_id)]
        scopes = (ALL, of_agent(self.task.agent))
        off = [switch.scope for switch in app.operations.switches() if switch.scope in scopes]
        self.next = next_steps(self.task, Surroundings(self.effects, off, len(workers(app))))

    @property
    def cost_nano(self) -> int | None:
        return documents.cost_of(self.task, self.steps)

    @property
    def sentence(self) -> str:
        return documents.sentence_of(self.task, self.steps, self.effects)

    def document(self) -> documents.Document:
        return {
            **documents.task_document(self.task),
            "summary": self.sentence,
            "forks": self.forks,
            "next": self.next,
            **documents.record_document(self.steps, self.effects),
        }

    def show(self, *, full: bool) -> None:
        show.say(self.sentence, style="bold")
        show.say()
        self._show_facts(full=full)
        if self.next:
            show.say()
            show.say("Next", style="dim")
            for sentence in self.next:
                show.say(f"  {sentence}")
        show.say()
        show.say("Steps", style="dim")
        for step in self.steps:
            show_step(step, full=full)
        if not full and any(is_clipped(step) for step in self.steps):
            show.note(f"Whole payloads: airworthy task show {self.task.id} --full")

    def _show_facts(self, *, full: bool) -> None:
        task, why = self.task, self.task.why
        answered = task.outcome is Outcome.ANSWERED
        answer = documents.answer_of(self.steps) if answered else None
        shown_input = show.readable(documents.input_of(self.steps))
        show.facts(
            [
                ("Task", task.id),
                ("Agent", task.agent),
                ("State", task.state.value),
                ("Fork", f"of {task.fork_of} at step {task.fork_at}" if task.fork_of is not None else ""),
                ("Forks", "\n".join(self.forks)),
                ("Rehearsed", "no tool of it acts" if is_rehearsal(task, self.steps) else ""),
                ("Waits for", task.waiting_for),
                ("Reason", why.code.value if why is not None and not answered else ""),
                ("Why", why.text if why is not None and not answered else ""),
                ("Asked", why.to if why is not None else ""),
                ("Error", why.error.message if why is not None and why.error is not None else ""),
                ("Input", shown_input if full else show.clipped(shown_input, PAYLOAD_CHARS_MAX)),
                ("Answer", show.readable(answer, indent=2) if answer is not None else ""),
                ("Missing", "\n".join(str(gap["text"]) for gap in documents.gaps_of(task))),
                ("Session", task.session),
                ("User", task.user_id),
                ("Feature", task.feature),
                ("Key", task.idempotency_key),
                ("Accepted", show.when(task.created_us)),
                ("Closed", show.when(task.closed_us)),
                (
                    "Took",
                    f"{task.active_us / 1e6:.1f} s in {show.counted(task.run, 'run')}" if task.run else "",
                ),
                ("Cost", usd_text(self.cost_nano)),
            ]
        )
        if full and why is not None and why.error is not None and why.error.trace:
            show.facts([("Trace", why.error.trace)])
