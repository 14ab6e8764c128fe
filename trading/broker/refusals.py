"""What the terminal's return codes and account states mean, and what a person can do about each.

Codes: the vendor's document (`connect`, `subscribe`, `ACCOUNT_STATUS_*`); causes: reports from the field.
"""

from __future__ import annotations

from trading.domain.types import Text
from trading.errors import GatewayUnavailable

ACCOUNT_OK = 0


class NoSession(GatewayUnavailable):
    """The terminal gives us no session. `reason`: why, and the remedy."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason


#: `xtconstant.ACCOUNT_STATUS_*` → what it is. Orders go out, and lists are believed, on OK alone.
ACCOUNT_STATUSES: dict[int, Text] = {
    -1: Text("invalid", "无效"),
    ACCOUNT_OK: Text("in order", "正常"),
    1: Text("connecting", "连接中"),
    2: Text("logging in", "登录中"),
    3: Text("the login failed: log in at the client again", "登录失败：请在客户端重新登录"),
    4: Text("initialising", "初始化中"),
    5: Text("data are being corrected: wait", "数据刷新校正中，请等待"),
    6: Text("closed after the day's end", "收盘后"),
    7: Text("a secondary link is lost: look at the client", "副链接断开：请查看客户端"),
    8: Text("disabled by the system: ask the broker", "被系统停用：请联系券商"),
    9: Text("disabled by the user", "被用户停用"),
}


def account_status(status: object) -> Text:
    """Return an account status in words."""
    known = ACCOUNT_STATUSES.get(status) if isinstance(status, int) else None
    words = known or Text("not known", "未知")
    return Text(f"account status {status}: {words.en}", f"账户状态 {status}：{words.zh}")


def connect_refusal(code: object, client_runs: bool | None) -> Text:
    """Say what another answer than 0 to `connect` means."""
    en, zh = f"connect returned {code}", f"connect 返回 {code}"
    if client_runs is False:
        return Text(
            f"{en}: no QMT client runs on this machine; start it and log in",
            f"{zh}：本机没有运行 QMT 客户端，请启动并登录",
        )
    return Text(
        f"{en}: the client is not logged in (极简模式, mini mode), runs under another user, or another program holds this session",
        f"{zh}：客户端未登录（须勾选“极简模式”）、以其他用户身份运行，或本会话被其他程序占用",
    )


def subscribe_refusal(code: object) -> Text:
    """Say what another answer than 0 to `subscribe` means: without it no fill would be told."""
    return Text(
        f"subscribe returned {code}: this account is not logged in at the client, or its number is wrong",
        f"subscribe 返回 {code}：该资金账号未在客户端登录，或账号填写有误",
    )
