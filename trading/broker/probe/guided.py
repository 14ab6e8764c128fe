"""The questions that need a person, a second session or patience: P4, P5, P10, P12."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trading.broker.probe.context import Person, Probe
from trading.broker.probe.report import Finding, Outcome
from trading.broker.probe.session import LOOK
from trading.broker.qmt import STATUS_FIELDS
from trading.domain.types import Text

#: Samples while something is wrong, seconds between them, and how long each query is waited for meanwhile.
SAMPLES, EVERY, IMPATIENT = 5, 2.0, 3.0
#: Seconds a session is tried to be had again, and between two tries.
RECOVERY, AGAIN = 120.0, 1.0
#: Seconds listened to after the network came back; between two looks of the long watch.
LISTEN, WATCH_EVERY = 20.0, 10.0

_NOBODY = Text(
    "Needs a person: run with --guided.",
    "需要人工配合：请加 --guided 运行。",
)


def broken_client(probe: Probe) -> Finding:
    """P4: what do queries return while the client is away, starts, logs in?"""
    person = probe.person
    if person is None:
        return Finding(Outcome.SKIPPED, _NOBODY)
    person.asked(
        Text("Close the QMT client, then press Enter.", "请关闭 QMT 客户端，然后按回车。")
    )
    facts: dict[str, Any] = {"client closed": _samples(probe)}
    pushed = [one.row for one in probe.session.heard if one.kind == "disconnected"]
    facts["on_disconnected"] = len(pushed)
    person.asked(
        Text(
            "Start the client and press Enter at once, while it logs in.",
            "请启动客户端，在其登录过程中立即按回车。",
        )
    )
    probe.session.close()
    seconds, tries = _connect_again(probe, probe.main)
    facts["connected again after seconds"], facts["tries"] = seconds, tries
    facts["while it logs in"] = _samples(probe) if seconds is not None else "never connected"
    if seconds is None:
        return Finding(
            Outcome.FAILED,
            Text("The client did not let us in again.", "客户端未能重新连接。"),
            facts,
        )
    return Finding(
        Outcome.ANSWERED, Text("What each query said is below.", "各查询的返回见下。"), facts
    )


def _samples(probe: Probe) -> list[dict[str, Any]]:
    shown = []
    for _ in range(SAMPLES):
        snapshot = probe.session.snapshot(IMPATIENT)
        row: dict[str, Any] = {name: one.summary() for name, one in snapshot.items()}
        row["statuses"] = [one["status"] for one in snapshot["status"].rows or ()]
        shown.append(row)
        probe.wait(EVERY)
    return shown


def _connect_again(probe: Probe, number: int) -> tuple[float | None, list[Any]]:
    """Try to open a session with this number until it is had; return the seconds, and the codes of the tries."""
    since, codes = probe.clock(), []
    while probe.clock() - since < RECOVERY:
        session = probe.open_session(number)
        codes.append(session.codes.get("connect"))
        if session.codes == {"connect": 0, "subscribe": 0}:
            if number == probe.main:
                probe.session = session
            else:
                session.close()
            return round(probe.clock() - since, 2), codes
        session.close()
        probe.wait(AGAIN)
    return None, codes


def same_session(probe: Probe) -> Finding:
    """P5: what does a second program with the same number meet, and how soon is a dead one's number free?"""
    facts: dict[str, Any] = {}
    second = probe.open_session(probe.main)
    facts["same number while it is held"] = dict(second.codes)
    second.close()
    third = probe.open_session(probe.other)
    facts["another number meanwhile"] = dict(third.codes)
    third.close()
    probe.session.close()
    seconds, tries = _connect_again(probe, probe.main)
    facts["again after stop(), seconds"], facts["tries after stop()"] = seconds, tries
    if seconds is None:
        return Finding(
            Outcome.FAILED,
            Text("The number could not be had again.", "无法重新取得会话。"),
            facts,
        )
    if probe.hold is None:
        note = Text("A killed holder was not tried here.", "未测试被强制结束的持有者。")
        return Finding(Outcome.PARTLY, note, facts)
    holder = probe.hold(probe.other)
    holder.kill()
    seconds, tries = _connect_again(probe, probe.other)
    facts["again after a kill, seconds"], facts["tries after a kill"] = seconds, tries
    note = Text("Codes and seconds are below.", "返回码与秒数见下。")
    return Finding(Outcome.ANSWERED if seconds is not None else Outcome.FAILED, note, facts)


def logout_window(probe: Probe) -> Finding:
    """P10: when is the account logged out at night? Watches as long as it was told to."""
    since, seen = probe.clock(), []
    last: Any = None
    while True:
        answer = probe.session.query(STATUS, IMPATIENT)
        rows = answer.rows if answer.seconds is not None else None
        said: Any = "no answer" if rows is None else [row["status"] for row in rows]
        if said != last:
            seen.append({"at": probe.now().isoformat(timespec="seconds"), "statuses": said})
            last = said
        if probe.clock() - since >= probe.watch:
            break
        probe.wait(WATCH_EVERY)
    watched = probe.watch > 0
    note = Text(
        "Changes of the account's status while it was watched."
        if watched
        else "One look; run P10 with --watch 43200 over a night.",
        "观察期间账户状态的变化。" if watched else "仅查询一次；请以 --watch 43200 运行一整夜。",
    )
    return Finding(Outcome.ANSWERED if watched else Outcome.PARTLY, note, {"changes": seen})


STATUS = "status"


def doubled_pushes(probe: Probe) -> Finding:
    """P12: are pushes repeated after the network dropped?"""
    person: Person | None = probe.person
    if person is not None:
        person.asked(
            Text(
                "Disconnect the network for 30 s, connect it again, then press Enter.",
                "请断开网络 30 秒后恢复，然后按回车。",
            )
        )
        probe.session.listen(LISTEN)
    else:
        probe.session.listen(LOOK)
    keys = Counter(
        (one.kind, str(sorted(one.row.items(), key=str)))
        for one in probe.session.heard
        if one.kind in ("order", "trade")
    )
    facts = {
        "pushes heard": sum(keys.values()),
        "heard more than once": sum(count > 1 for count in keys.values()),
        "most often": max(keys.values(), default=0),
        "account statuses pushed": [
            {name: one.row.get(name) for name in STATUS_FIELDS if name == "status"}
            for one in probe.session.heard
            if one.kind == "account_status"
        ],
    }
    if person is None:
        return Finding(Outcome.PARTLY, _NOBODY, facts)
    note = Text(
        "Without fills or orders of today there is nothing that could be repeated.",
        "若当日没有委托与成交，则没有可重复的推送。",
    )
    return Finding(Outcome.ANSWERED if keys else Outcome.PARTLY, note, facts)
