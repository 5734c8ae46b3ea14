"""`python -m tests.simulation SEED [...]` runs random worlds by seed and tells their story."""

import sys

from tests.simulation.invariants import broken
from tests.simulation.test_worlds import random_setting
from tests.simulation.world import run_world


def main(seeds: list[int]) -> int:
    bad = 0
    for seed in seeds:
        setting = random_setting(seed)
        world = run_world(setting)
        found = broken(world)
        bad += bool(found)
        if len(seeds) > 1 and not found:
            continue
        print(
            f"seed {seed}: blows {dict(setting.blows)}, faults {setting.fault_share}, deaths {world.deaths}"
        )
        for program in setting.programs:
            print(f"  {program}")
        for number, task_id in world.task_ids.items():
            task = world.operations.task(task_id)
            print(
                f"  t{number} {task_id} {task.state} {task.reason_code} {task.why.text if task.why else ''}"
            )
            for step in world.operations.steps(task_id):
                note = " superseded" if step.key is None else ""
                print(
                    f"    {step.seq} run {step.run} {step.kind} {step.name} {step.state} {step.arguments}"
                    f" -> {step.result} {step.error.message if step.error else ''}{note}"
                )
            for row in world.operations.effects(task_id):
                print(f"    {row.id} {row.tool} {row.state} {row.arguments} due {row.due_us} {row.note}")
        print(f"  really happened: {dict(world.outside.effective)}")
        for text in found:
            print(f"  BROKEN: {text}")
    return 1 if bad else 0


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(list(range(numbers[0], numbers[1])) if len(numbers) == 2 else numbers))
