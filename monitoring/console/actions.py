"""Every act the console offers, by its name in the address."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitoring.console.acting import Action
from monitoring.console.acting_cancels import Cancel, CancelAll
from monitoring.console.acting_grids import GridPause, GridResume, GridStop
from monitoring.console.acting_orders import Buy, Sell
from monitoring.console.acting_switches import ExitsOff, ExitsOn, Halt, Reduce, Resume
from monitoring.console.acting_thresholds import Thresholds
from monitoring.console.acting_watch import Unwatch, Watch
from trading.domain.types import Text

_ALL: tuple[Action, ...] = (
    *(Sell(), Buy(), Cancel(), CancelAll(), Halt(), Reduce(), Resume()),
    *(
        ExitsOn(),
        ExitsOff(),
        GridPause(),
        GridResume(),
        GridStop(),
        Thresholds(),
        Watch(),
        Unwatch(),
    ),
)
#: What each is called in the list of what was confirmed.
LABELS: Mapping[str, Text] = MappingProxyType(
    {
        "sell": Text("sell", "卖出"),
        "buy": Text("buy", "买入"),
        "cancel": Text("cancel", "撤单"),
        "cancel-all": Text("cancel all", "全部撤单"),
        "halt": Text("halt", "停止交易"),
        "reduce": Text("reduce only", "只减仓"),
        "resume": Text("resume", "恢复交易"),
        "exits-on": Text("exits on", "开启退出规则"),
        "exits-off": Text("exits off", "关闭退出规则"),
        "thresholds": Text("own thresholds", "单独阈值"),
        "grid-pause": Text("pause grid", "暂停网格"),
        "grid-resume": Text("resume grid", "恢复网格"),
        "grid-stop": Text("stop grid", "停止网格"),
        "watch": Text("watch", "加入自选"),
        "unwatch": Text("take off the watch list", "移出自选"),
    }
)
ACTIONS: Mapping[str, Action] = MappingProxyType({action.name: action for action in _ALL})
