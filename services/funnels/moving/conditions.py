"""The conditions of an old flow's step: what a lead wrote, pressed, or did not do in time, as questions and waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grimbots.services.funnels.moving.drafts import Fields
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.moving.words import read_number, read_text, write_html, write_plain
from grimbots.services.funnels.steps.question import MAX_TRIES

if TYPE_CHECKING:
    from grimbots.services.funnels.moving.flows import Flow, Scene

CHECKED = ("email", "phone", "cpf")
COMPARED = {"contains": "contains", "equals": "is"}
AGAIN = "⚠️ Não entendi a resposta. Pode tentar de novo?"
MOST_CASES = 50


def write_conditions(flow: Flow, scene: Scene, conditions: Sequence[Fields]) -> bool:
    """Write a step that waits for what its conditions name; False where none of them can be met here."""
    pressed = [one for one in conditions if one.get("type") == "button_click"]
    written = [one for one in conditions if one.get("type") == "text_validation"]
    timed = [one for one in conditions if one.get("type") == "time_elapsed"]
    for one in pressed:
        _aim_button(flow, scene, one)
    if scene.has_taps():
        _leave(flow, scene, [one for one in conditions if one not in pressed])
        return False
    _leave(flow, scene, [one for one in conditions if one not in (*written, *timed)])
    timeout = _read_timeout(flow, scene, timed)
    if written:
        return _write_question(flow, scene, written, timeout)
    if timeout:
        flow.draft.add(f"{scene.entry}-espera", "delay", minutes=timeout["timeout_minutes"], next=timeout["timeout"])
        scene.following = f"{scene.entry}-espera"
    return False


def _leave(flow: Flow, scene: Scene, conditions: Sequence[Fields]) -> None:
    for one in conditions:
        flow.draft.note(Remark("condition_unusable", scene.place, {"kind": str(one.get("type"))[:40]}))


def _aim_button(flow: Flow, scene: Scene, one: Fields) -> None:
    """Let a condition decide where the button with its words leads, as it did."""
    words, target = write_plain(one.get("button_text")).casefold(), flow.target(one.get("target_step"), scene.place)
    named = [button for button in scene.buttons if button["text"].casefold() == words and "next" in button]
    if not named or not target:
        _leave(flow, scene, [one])
    for button in named if target else ():
        button["next"] = target
        flow.draft.remember(f"flow_{scene.old}_{scene.places[id(button)]}", target)


def _read_timeout(flow: Flow, scene: Scene, timed: Sequence[Fields]) -> Fields:
    for one in timed:
        minutes, target = read_number(one.get("minutes")), flow.target(one.get("target_step"), scene.place)
        if target and (minutes is None or minutes >= 1):
            flow.draft.note(Remark("flow_waits_by_clock", scene.place))
            return {"timeout_minutes": min(43200, int(minutes or 5)), "timeout": target}
    return {}


def _write_question(flow: Flow, scene: Scene, written: Sequence[Fields], timeout: Fields) -> bool:
    """Write a question whose answer decides. Of several kinds of answer the first one's counts."""
    first = written[0]
    kind, target = first.get("validation", "any"), flow.target(first.get("target_step"), scene.place)
    compared = [one for one in written if one.get("validation") in COMPARED and read_text(one.get("value"))]
    fields: Fields = {"variable": scene.variable, **timeout, "again": _read_again(scene)}
    if kind in CHECKED and target:
        _leave(flow, scene, written[1:])
        scene.say(flow, "question", **fields, answer=kind, next=target, **_read_tries(flow, scene, first))
        return True
    if kind not in COMPARED and target:
        _leave(flow, scene, written[1:])
        scene.say(flow, "question", **fields, next=target)
        return True
    cases = _write_cases(flow, scene, compared)
    if not cases:
        _leave(flow, scene, written)
        return False
    others = [one for one in written if one not in compared]
    last = next((found for one in others if (found := flow.target(one.get("target_step"), scene.place))), "")
    scene.say(flow, "question", **fields, next=f"{scene.entry}-casos")
    unmatched = last or find_unmatched(flow, scene) or _write_again(flow, scene)
    flow.draft.add(f"{scene.entry}-casos", "condition", cases=cases, next=unmatched)
    return True


def _write_cases(flow: Flow, scene: Scene, compared: Sequence[Fields]) -> list[Fields]:
    found, asked = [], set()
    for one in compared:
        comparison, wanted = COMPARED[one["validation"]], read_text(one.get("value"))
        target = flow.target(one.get("target_step"), scene.place)
        if target and (comparison, wanted.casefold()) not in asked:
            asked.add((comparison, wanted.casefold()))
            found.append({"variable": scene.variable, comparison: wanted, "next": target})
    return found[:MOST_CASES]


def _write_again(flow: Flow, scene: Scene) -> str:
    """Write what is said to an answer that fits nothing; then it is asked again."""
    return flow.draft.add(f"{scene.entry}-denovo", "message", text=_read_again(scene), next=scene.entry)


def _read_again(scene: Scene) -> str:
    return write_html(scene.config.get("error_message"), scene.place, lambda _: None) or AGAIN


def _read_tries(flow: Flow, scene: Scene, one: Fields) -> Fields:
    """Give after how many wrong answers it goes on elsewhere; where nothing says so, at the first."""
    most, elsewhere = read_number(one.get("max_attempts")), flow.target(one.get("fallback_step"), scene.place)
    unmatched = find_unmatched(flow, scene)
    if most is not None and most >= 1 and (elsewhere or unmatched):
        return {"tries": min(MAX_TRIES, int(most)), "failed": elsewhere or unmatched}
    return {"tries": 1, "failed": unmatched} if unmatched else {}


def find_unmatched(flow: Flow, scene: Scene) -> str:
    """Give where an answer led that no condition knew: the error's step, else the way called retry."""
    for old in (scene.step.get("error_step_id"), scene.retry):
        if found := flow.target(old, scene.place):
            return found
    return ""
